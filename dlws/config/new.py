"""A first config.yaml, made from a few answers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlws.config.model.config import Config
from dlws.config.model.kubernetes import Kubernetes
from dlws.config.model.machines import MAKERS
from dlws.config.problems import count, render
from dlws.config.reading.load import FILES, examine
from dlws.config.reading.source import parse
from dlws.core import nodeset, templates
from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.core.version import NEWEST, OLDEST

VENDORS = {**MAKERS, "cpu": ""}
"""The makers of devices that are meant where none is given, by the type of the machine."""

EXAMPLE = "gpu[01-12]=10.0.0.[11-22]"
_GIVEN = re.compile(r"(?:(gpu|npu|cpu)(?:/([^:=]*))?:)?([^=]*)(?:=(.*))?", re.DOTALL)
_COMMA = re.compile(r",(?![^\[]*\])")
"""A comma outside of brackets."""
_PODS, _SERVICES = "10.244.0.0/16", "10.96.0.0/12"
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


@dataclass(frozen=True)
class NewMachine:
    """A machine as it is to stand in config.yaml."""

    name: str
    address: str
    roles: tuple[str, ...]
    type: str = ""
    vendor: str = ""

    @property
    def role(self) -> str | list[str]:
        return self.roles[0] if len(self.roles) == 1 else list(self.roles)


@dataclass(frozen=True)
class Answers:
    """What a configuration is made from. Numbers and location are those of Azure."""

    cluster_name: str
    platform: str = "onpremise"
    machines: Sequence[NewMachine] = ()
    user: str = "dlwsadmin"
    domain: str = ""
    os: str = "ubuntu"
    architecture: str = "amd64"
    kubernetes: str = ""
    location: str = ""
    infra_number: int = 1
    worker_number: int = 0


def read_machines(role: str, text: str, kind: str = "", vendor: str = "") -> list[NewMachine]:
    """The machines of `[TYPE[/VENDOR]:]NAMES[=ADDRESSES]`; both may be node sets.

    `kind` and `vendor` are those of machines that have no TYPE before them.
    """
    found = _GIVEN.fullmatch(text.strip())
    if not found or not found[3]:
        raise UsageError(f"{text!r} names no machine", f"write NAME=ADDRESS, such as {EXAMPLE}")
    own_kind, own_vendor, names, addresses = found.groups()
    kind, vendor = (own_kind, own_vendor or VENDORS[own_kind]) if own_kind else (kind, vendor)
    machines, places = _each(names), _each(addresses or "")
    if addresses is not None and len(machines) != len(places):
        raise UsageError(
            f"{text}: {len(machines)} names and {len(places)} addresses",
            f"give each machine an address, such as {EXAMPLE}",
        )
    made = [
        NewMachine(name, address, (role,), kind, vendor)
        for name, address in zip(machines, places or [""] * len(machines), strict=True)
    ]
    for machine in made:
        entry = {"name": machine.name, "role": role, "private-ip": machine.address or None}
        check({"machines": {machine.name: entry}})
    return made


def check(values: dict[str, Any]) -> None:
    """Raise UsageError unless these top-level keys may have these values."""
    try:
        Config.model_validate({"cluster_name": "any", **values})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        about = first.get("ctx", {})
        cure = about.get("cure", f"see: {PROGRAM} config explain")
        raise UsageError(about.get("message", first["msg"]), cure) from None


def _each(text: str) -> list[str]:
    parts = [part.strip() for part in _COMMA.split(text)]
    return [one for part in parts if part for one in nodeset.expand(part)]


def read_number(role: str, text: str) -> int:
    """How many machines of a role there are to be on Azure, where they have no names yet."""
    if not re.fullmatch("[0-9]{1,4}", text):
        wrong = f"--{role} {text}: on Azure this is the number of machines"
        raise UsageError(wrong, f"write it like --{role} 3")
    return int(text)


def merged(machines: Iterable[NewMachine]) -> list[NewMachine]:
    """One entry for each name: a machine that is given for two roles has both."""
    found: dict[str, NewMachine] = {}
    for machine in machines:
        before = found.setdefault(machine.name, machine)
        if before.address and machine.address and before.address != machine.address:
            raise UsageError(
                f"{machine.name} is given two addresses: {before.address} and {machine.address}",
                "give each machine one address, whatever number of roles it has",
            )
        found[machine.name] = replace(
            before,
            address=before.address or machine.address,
            roles=tuple(dict.fromkeys([*before.roles, *machine.roles])),
            type=before.type or machine.type,
            vendor=before.vendor or machine.vendor,
        )
    return list(found.values())


def config_text(answers: Answers) -> str:
    """The text of the config.yaml; raises UsageError where `checkconfig` would find a problem."""
    pods, services = networks(answers.machines)
    text = templates.render(
        "config.yaml",
        answers=replace(answers, kubernetes=answers.kubernetes or _newest()),
        pod_cidr=pods,
        service_cidr=services,
        oldest=OLDEST,
        newest=NEWEST,
    )
    # In a directory of its own: what lies beside the file to be written is no part of the answers.
    found = examine([parse(text.encode(), FILES[0])], Path("/nonexistent"))
    if found.problems or found.config is None:
        raise UsageError(
            f"these answers make a configuration with {count(found.problems)}\n"
            f"{render(found.problems)}",
            "correct the answers; nothing was written",
        )
    return text


def _newest() -> str:
    return str(Kubernetes.model_fields["version"].default)


def networks(machines: Sequence[NewMachine]) -> tuple[str, str]:
    """Networks for pods and services that hold no machine, with room for twice the machines."""
    taken = [network for machine in machines if (network := _around(machine.address))]
    bits = max(0, (2 * len(machines) - 1).bit_length() - 8)  # a /16 has room for 256 nodes
    pods = _free(ipaddress.IPv4Network(_PODS).supernet(bits), taken)
    services = _free(ipaddress.IPv4Network(_SERVICES), [*taken, pods])
    return str(pods), str(services)


def _around(address: str) -> ipaddress.IPv4Network | None:
    """The network that a machine's neighbours are likely to have addresses in."""
    try:
        return ipaddress.IPv4Network(f"{address}/24", strict=False)
    except ValueError:
        return None  # no address, or one of IPv6; what is wrong with it is said by the check


def _free(
    wanted: ipaddress.IPv4Network, taken: Sequence[ipaddress.IPv4Network]
) -> ipaddress.IPv4Network:
    """The wanted network, or another one of its size or smaller that overlaps none taken."""
    for prefix in range(wanted.prefixlen, 17):
        bases = [ipaddress.IPv4Network(base) for base in _PRIVATE]
        others = (n for b in bases if b.prefixlen <= prefix for n in b.subnets(new_prefix=prefix))
        candidates = (wanted, *others) if prefix == wanted.prefixlen else others
        for candidate in candidates:
            if not any(candidate.overlaps(one) for one in taken):
                return candidate
    return wanted
