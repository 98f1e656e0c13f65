"""What a kubeconfig is taken for: three fields, from which a new one is built.

A kubeconfig can run programs, read files, or lead elsewhere (exec, auth-provider, tokenFile,
proxy-url). Ours comes from a node, so that nothing of it is passed on but certificates and a key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dlws.core.errors import DeployError

Kubeconfig = dict[str, Any]

_LARGEST = 256 * 1024
_AUTHORITY, _CERTIFICATE, _KEY = (
    "certificate-authority-data",
    "client-certificate-data",
    "client-key-data",
)
_OUTSIDE = {"apiVersion", "kind", "clusters", "contexts", "current-context", "preferences", "users"}
_CLUSTER, _USER = {"server", _AUTHORITY}, {_CERTIFICATE, _KEY}
_BLOCK = r"-----BEGIN {0}-----\r?\n(?:[A-Za-z0-9+/=]{{1,76}}\r?\n)+-----END {0}-----\s*"
_CERTIFICATES = re.compile(f"(?:{_BLOCK.format('CERTIFICATE')})+")
_PRIVATE_KEY = re.compile(
    "|".join(_BLOCK.format(f"{kind}PRIVATE KEY") for kind in ("", "RSA ", "EC "))
)


@dataclass(frozen=True)
class Credentials:
    """The cluster's CA, and an administrator's certificate and key: each base64 of PEM."""

    authority: str
    certificate: str
    key: str = field(repr=False)

    def kubeconfig(self, name: str, server: str) -> Kubeconfig:
        """A kubeconfig for the cluster NAME, whose API server is at `server`."""
        user = f"{name}-admin"
        cluster = {_AUTHORITY: self.authority, "server": server}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": user, "user": {_CERTIFICATE: self.certificate, _KEY: self.key}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        }


def parse(content: bytes, source: str, cure: str) -> Credentials:
    """The credentials in a kubeconfig; DeployError where it holds anything else.

    Its server and its names are not looked at: those are ours to choose.
    """
    try:
        return _credentials(_loaded(content))
    except ValueError as error:
        raise DeployError(
            f"{source} is refused: {error}; it may hold certificates and a key, and nothing that "
            "runs programs, reads files or leads elsewhere",
            cure,
        ) from error


def _loaded(content: bytes) -> object:
    import yaml

    if len(content) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST} bytes")
    try:
        # Every scalar is text: nothing is made of what only looks like a date or a number.
        return yaml.load(content, yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("it is no YAML") from error


def _credentials(loaded: object) -> Credentials:
    whole = _mapping(loaded, "it", _OUTSIDE)
    if (whole.get("apiVersion"), whole.get("kind")) != ("v1", "Config"):
        raise ValueError("it is no kubeconfig of version v1")
    if whole.get("preferences"):
        raise ValueError("it has preferences")
    cluster = _only(whole, "clusters", "cluster", _CLUSTER)
    user = _only(whole, "users", "user", _USER)
    return Credentials(
        _pem(cluster, _AUTHORITY, _CERTIFICATES),
        _pem(user, _CERTIFICATE, _CERTIFICATES),
        _pem(user, _KEY, _PRIVATE_KEY),
    )


def _mapping(value: object, what: str, keys: set[str]) -> Mapping[str, object]:
    """A mapping without other keys than these."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no mapping")
    if more := [str(key)[:80] for key in value if key not in keys]:
        raise ValueError(f"{what} has {', '.join(map(repr, more[:5]))}")
    return value


def _only(
    whole: Mapping[str, object], kind: str, word: str, keys: set[str]
) -> Mapping[str, object]:
    """What the one entry of a kind says."""
    entries = whole.get(kind)
    if not isinstance(entries, list) or len(entries) != 1:
        raise ValueError(f"it does not have exactly one entry under {kind}")
    return _mapping(_mapping(entries[0], kind, {"name", word}).get(word), word, keys)


def _pem(fields: Mapping[str, object], name: str, shape: re.Pattern[str]) -> str:
    """A field whose value is base64 of PEM, in base64 on one line."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing")
    try:
        text = base64.b64decode("".join(value.split()), validate=True).decode("ascii")
    except ValueError:
        raise ValueError(f"{name} is no base64 of text") from None
    if not shape.fullmatch(text):
        raise ValueError(f"{name} is no PEM of the kind that belongs there")
    return base64.b64encode(text.encode()).decode()
