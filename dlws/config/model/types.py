"""The kinds of value a configuration holds, with messages that say what to write instead."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
)
from pydantic import ValidationInfo as Info
from pydantic_core import PydanticCustomError, PydanticKnownError

from dlws.config.model.roles import NODE_ROLES, ROLE_WORDS, ROLES, SYNONYMS
from dlws.config.problems import closest, is_secret_key
from dlws.core import resources
from dlws.core.architecture import architecture
from dlws.core.errors import UsageError
from dlws.core.version import Version
from dlws.secrets.reference import Secret

if TYPE_CHECKING:
    from typing_extensions import Self

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_PORT_RANGE = re.compile(r"(\d{1,5})\s*-\s*(\d{1,5})")
_CLUSTER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
_FLAG = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_HOST_KEY = re.compile(
    r"SHA256:[A-Za-z0-9+/]{43}|(ssh-|ecdsa-|sk-)[\w@.-]+ AAAA[A-Za-z0-9+/]+=*( .*)?"
)


class Section(BaseModel):
    """A frozen part of the configuration."""

    # Deferred: a section is built once, as a part of Config, and not alone before that.
    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore", defer_build=True)

    @classmethod
    def of_defaults(cls) -> Self:
        """One of which nothing is given. Calling the class would build it alone, at every start."""
        return cast("Self", cls.model_construct())


def field_names(value: object) -> dict[str, str]:
    """Key → the name of its field, of a section; nothing of what is none. Rules ask for each of
    hundreds of machines, and isinstance() of a model's class takes long."""
    kind: Any = type(value)
    return _field_names(kind)


@cache
def _field_names(kind: Any) -> dict[str, str]:
    fields = kind.model_fields if issubclass(kind, BaseModel) else {}
    return {info.alias or name: name for name, info in fields.items()}


def wrong(message: str, cure: str) -> PydanticCustomError:
    """An error whose cure reaches the person."""
    return PydanticCustomError("dlws", "{message}", {"message": message, "cure": cure})


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        raise wrong("YAML reads this word as true or false", "Put the value in quotes.")
    if isinstance(value, (int, float)):
        return getattr(value, "text", None) or str(value)
    return value


def _argument(value: Any) -> Any:
    """A value of a command line: YAML's true and 5 are the texts true and 5 there."""
    return str(value).lower() if isinstance(value, bool) else _text(value)


def _flag(value: str) -> str:
    if not _FLAG.fullmatch(value):
        bare = value.lstrip("-").partition("=")[0]
        raise wrong(f'"{value}" is not the name of an argument', f"Write {bare or 'profiling'}.")
    return value


def _many(value: Any) -> Any:
    if value == "":
        return []
    return [value] if isinstance(value, (str, int, float)) else value


def _keep(value: SecretStr, info: Info) -> Secret:
    context: dict[str, Any] = info.context or {}
    return Secret(value.get_secret_value(), context.get("directory", Path()))


def _roles(value: Any, info: Info) -> Any:
    words = _many(value)
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise wrong("a role is a word, or a list of words", f"Choose from: {', '.join(ROLES)}.")
    directory = (info.context or {}).get("directory", Path())
    return tuple(dict.fromkeys(_role(word, directory) for word in words))


def _role(word: str, directory: Path) -> str:
    role = SYNONYMS.get(word, word)
    if role not in ROLES and role not in (more := resources.folders(NODE_ROLES, directory)):
        near = closest(word, [*ROLE_WORDS, *more])
        hint = f"Did you mean {near}? " if near else ""
        raise wrong(f'"{word}" is not a role', f"{hint}The roles are: {', '.join(ROLES)}.")
    return role


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value.strip()))
    except ValueError:
        raise wrong(f'"{value}" is not an IP address', "Write one like 192.168.3.2.") from None


def _network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value.strip())
    except ValueError:
        raise wrong(f'"{value}" is not a network', network_cure(value)) from None
    if "/" not in value:
        raise wrong(f'"{value}" is an address, not a network', network_cure(value))
    if network.is_loopback or network.is_multicast or network.is_link_local:
        raise wrong(f"nothing can be given an address of {network}", network_cure(""))
    return str(network)


def network_cure(value: str) -> str:
    """The network that a wrong one was meant to be, or an example."""
    try:
        network = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        return "Write one like 10.244.0.0/16."
    if "/" not in value:
        network = network.supernet(new_prefix=16 if network.version == 4 else 64)
    return f"Write {network}."


def _absolute(value: str) -> str:
    if value and not value.startswith("/"):
        raise wrong(*relative(value))
    if not writable(value):
        raise wrong(*unwritable(value))
    return value


def relative(value: str) -> tuple[str, str]:
    """What is wrong with a path on nodes that is not absolute, and its cure."""
    rest = value.lstrip("~./")
    cure = f"Write the path from the root, such as /{rest}." if rest else "Write one like /mnt."
    return f'"{value}" is a relative path, and nodes need an absolute one', cure


def writable(value: str) -> bool:
    """Whether files of settings on nodes can hold a path: no line break, no blank at its end."""
    return value.isprintable() and value == value.strip()


def unwritable(value: str) -> tuple[str, str]:
    """What is wrong with a path that is not writable(), and its cure."""
    return f"{value!r} has a character that no file of settings can hold", "Write it without that."


def _domain(value: str) -> str:
    return _hostname(value) if value else value


def _hostname(value: str) -> str:
    if len(value) > 253 or not _HOSTNAME.fullmatch(value):
        low = value.lower().replace("_", "-").replace(" ", "-")
        good = f"Write {low}." if _HOSTNAME.fullmatch(low) else "Write one like worker-01."
        raise wrong(f'"{value}" is not a host name: small letters, digits, - and . make one', good)
    return value


def _version(value: Any) -> Version:
    text = _text(value)
    if isinstance(text, Version):
        return text
    if not isinstance(text, str):
        raise PydanticKnownError("string_type")
    try:
        return Version.parse(text)
    except UsageError as error:
        raise wrong(error.message, error.cure) from None


def _port_range(value: str) -> str:
    match = _PORT_RANGE.fullmatch(value.strip())
    if not match or not 0 < int(match[1]) <= int(match[2]) < 65536:
        raise wrong(f'"{value}" is not a range of ports', "Write one like 30000-49999.")
    return f"{int(match[1])}-{int(match[2])}"


def _architecture(value: Any) -> Any:
    return architecture(value) if isinstance(value, str) else value


def _unescaped(value: str) -> str:
    return value.replace("\\/", "/")


def _hide(value: Any, info: Info) -> Any:
    """The same data with what looks like a secret made one, for sections nobody reads yet."""
    if isinstance(value, dict):
        return {
            key: _secret(item, info) if is_secret_key(key) else _hide(item, info)
            for key, item in value.items()
        }
    return [_hide(item, info) for item in value] if isinstance(value, list) else _number(value)


def _settings(value: Any) -> Any:
    """The same data with ordinary numbers, so that it can be written as YAML, JSON or TOML."""
    if isinstance(value, dict):
        return {key: _settings(item) for key, item in value.items()}
    return [_settings(item) for item in value] if isinstance(value, list) else _number(value)


def _number(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if isinstance(value, float) else int(value)
    return value


def _secret(value: Any, info: Info) -> Any:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return _keep(SecretStr(_text(value)), info)
    return _hide(value, info)


def _cluster_name(value: str) -> str:
    if not _CLUSTER_NAME.fullmatch(value):
        raise wrong(
            f'"{value}" is not a name for a cluster',
            "Use letters, digits, - and _, at most 40, a letter first.",
        )
    return value


def _user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise wrong(f'"{value}" is not a user name', "Use small letters, digits, - and _.")
    return value


def _host_key(value: str) -> str:
    if value and not _HOST_KEY.fullmatch(value.strip()):
        raise wrong(
            "this is not a host key",
            "Write SHA256:..., as ssh-keygen -l prints it, or the public key: ssh-ed25519 AAAA...",
        )
    return value.strip()


def _sha256(value: str) -> str:
    text = value.strip().removeprefix("sha256:")
    if value and not _SHA256.fullmatch(text):
        raise wrong(f'"{value}" is not a sha256', "Write 64 hex digits, as sha256sum prints them.")
    return text


def _fingerprints(values: list[str]) -> list[str]:
    found = ["".join(value.split()).upper() for value in values]
    for value, text in zip(values, found, strict=True):
        if not _FINGERPRINT.fullmatch(text):
            cure = "Write 40 hex digits, as gpg --show-keys prints them; spaces are fine."
            raise wrong(f'"{value}" is not the fingerprint of a key', cure)
    return found


@dataclass(frozen=True)
class Kind:
    """What a text is, in a person's words."""

    words: str


Text = Annotated[str, BeforeValidator(_text)]
NodePath = Annotated[
    str,
    BeforeValidator(_text),
    AfterValidator(_absolute),
    WithJsonSchema({"type": "string", "pattern": "^(/.*)?$"}),
    Kind("absolute path on the nodes"),
]
"""A path on the nodes; empty where none is given."""
Texts = Annotated[list[Text], BeforeValidator(_many)]
SecretText = Annotated[SecretStr, BeforeValidator(_text), AfterValidator(_keep)]
Sha256 = Annotated[str, BeforeValidator(_text), AfterValidator(_sha256)]
Fingerprints = Annotated[
    list[Text], BeforeValidator(_many), AfterValidator(_fingerprints), Kind("list of fingerprints")
]
Roles = Annotated[tuple[str, ...], BeforeValidator(_roles)]
Address = Annotated[str, BeforeValidator(_text), AfterValidator(_address)]
Network = Annotated[str, BeforeValidator(_text), AfterValidator(_network)]
ClusterName = Annotated[str, BeforeValidator(_text), AfterValidator(_cluster_name)]
User = Annotated[str, BeforeValidator(_text), AfterValidator(_user)]
HostKey = Annotated[str, BeforeValidator(_text), AfterValidator(_host_key)]
Domain = Annotated[str, BeforeValidator(_text), AfterValidator(_domain)]
Hostname = Annotated[str, BeforeValidator(_text), AfterValidator(_hostname)]
Release = Annotated[
    Version,
    PlainValidator(_version),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]
PortRange = Annotated[str, BeforeValidator(_text), AfterValidator(_port_range)]
Architecture = BeforeValidator(_architecture)
Url = Annotated[str, BeforeValidator(_text), AfterValidator(_unescaped)]
Freeform = Annotated[dict[str, Any], AfterValidator(_hide)]
Arguments = Annotated[
    dict[Annotated[str, AfterValidator(_flag)], Annotated[str, BeforeValidator(_argument)]],
    Kind("map of argument to value"),
]
Settings = Annotated[dict[str, Any], AfterValidator(_settings)]
