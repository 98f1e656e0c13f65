"""Groups of users, and ways to sign in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dlws.config.model.config import Config
from dlws.config.problems import closest
from dlws.config.reading.sources import Sources


def groups(config: Config, sources: Sources) -> None:
    if not config.user_groups:
        return
    for key in ("WebUIadminGroups", "WebUIauthorizedGroups", "WebUIregisterGroups"):
        groups: list[str] = getattr(config, _field(key))
        for index, group in enumerate(groups):
            if group not in config.user_groups:
                near = closest(group, config.user_groups)
                hint = f"Did you mean {near}?" if near else "Add it to UserGroups."
                sources.warn((key, index), f"{group} is not one of UserGroups", hint)


_WAY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}")
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_COMMON = {"Title", "Domains", "Groups", "GroupsClaim", "Claim", "Scopes", "ClientSecret"}
_KINDS: tuple[frozenset[str], ...] = (
    frozenset({"AppId", "AppSecret"}), frozenset({"TenantId", "ClientId"}),
    frozenset({"Issuer", "ClientId"}),
)  # fmt: skip


def ways(config: Config, sources: Sources) -> None:
    """Ways to sign in that would let nobody in, or others than are meant."""
    for name, given in config.authentications.items():
        for key, message, hint in _faults(config, name, given):
            sources.warn(("Authentications", name, *([key] if key else [])), message, hint)


def _faults(config: Config, name: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The key at fault, what is wrong with it, and the cure."""
    kind = next((one for one in _KINDS if one <= {key for key in given if given[key]}), None)
    if not _WAY.fullmatch(name):
        yield "", f"{name} is no name for a way to sign in", "use letters, digits, - and _"
    if kind is None:
        keys = "Issuer and ClientId, TenantId and ClientId, or AppId and AppSecret"
        yield "", f"nobody can sign in by {name}: it lacks {keys}", "add them, or leave it out"
        return
    for key in given:
        if key not in _COMMON | kind:
            yield (
                key,
                f"{key} is not used for {name}",
                f"known: {', '.join(sorted(_COMMON | kind))}",
            )
    tenant, issuer = str(given.get("TenantId", "")), str(given.get("Issuer", ""))
    if "TenantId" in kind and not _GUID.fullmatch(tenant):
        yield "TenantId", "TenantId is no directory's id", "write its id (36 characters), no name"
    if "Issuer" in kind and not issuer.startswith("https://"):
        yield "Issuer", f"{issuer} is no issuer", "write it as the provider does: https://..."
    for value, group in dict(given.get("Groups") or {}).items():
        known = config.user_groups.get(str(group))
        if not str(known.gid if known else group).isdecimal():
            cure = f"name one of UserGroups that has a gid, or a number, for {value}"
            yield "Groups", f"{group} is no group", cure


def _field(alias: str) -> str:
    return next(name for name, info in Config.model_fields.items() if info.alias == alias)
