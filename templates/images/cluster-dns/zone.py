"""The names of a cluster as its DNS addon answers them: services, endpoints, pods, addresses.

Pure: what the API has goes in, answers come out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TTL, DENIAL = 30, 5
"""Seconds for which a name, and that there is none, may be remembered."""
VERSION = "1.1.0"
"""What dns-version.DOMAIN says: the version of Kubernetes' specification of its names."""
_DASHED = re.compile(r"\d{1,3}(?:-\d{1,3}){3}|[0-9a-f]{0,4}(?:-[0-9a-f]{0,4}){2,7}")


class Record(NamedTuple):
    """One answer: its owner, type, and data as a zone file would have it."""

    name: str
    kind: str
    data: str


@dataclass(frozen=True)
class Answer:
    """`exists` tells a name without such records from one that there is not; `ours` is False for
    a name that others have to be asked for."""

    records: tuple[Record, ...] = ()
    more: tuple[Record, ...] = ()
    exists: bool = True
    ours: bool = True


NOWHERE, NOT_OURS = Answer(exists=False), Answer(exists=False, ours=False)


@dataclass
class Zone:
    """The names below a domain; `names` and `addresses` are made from services and endpoints."""

    domain: str = "cluster.local"
    names: Mapping[str, list[Record]] = field(default_factory=dict)
    between: frozenset[str] = frozenset()
    """Names that have none of their own, and others below them."""
    addresses: Mapping[str, list[str]] = field(default_factory=dict)
    """Names by address."""

    def answer(self, name: str, kind: str) -> Answer:
        """What is known of a name, without a dot at its end; capitals do not count."""
        asked = name.lower()
        if asked.endswith((".in-addr.arpa", ".ip6.arpa")):
            return self._reverse(asked, kind)
        if asked != self.domain and not asked.endswith(f".{self.domain}"):
            return NOT_OURS
        if found := self.names.get(asked):
            return self._of(found, kind)
        if pod := self._pod(asked):
            return self._of([pod], kind)
        return Answer() if asked in self.between or asked == self.domain else NOWHERE

    def _of(self, found: list[Record], kind: str) -> Answer:
        """The records of a type; an alias answers for every type."""
        fitting = [one for one in found if one.kind in (kind, "CNAME") or kind == "ANY"]
        targets = dict.fromkeys(one.data.split()[-1] for one in fitting if one.kind == "SRV")
        more = [
            record
            for target in targets
            for record in self.names.get(target, ())
            if record.kind in ("A", "AAAA")
        ]
        return Answer(tuple(fitting), tuple(more))

    def _pod(self, asked: str) -> Record | None:
        """10-1-2-3.NAMESPACE.pod.DOMAIN is 10.1.2.3, whether there is such a pod or not."""
        labels = asked.removesuffix(f".{self.domain}").split(".")
        if len(labels) != 3 or labels[2] != "pod" or not _DASHED.fullmatch(labels[0]):
            return None
        text = labels[0].replace("-", "." if labels[0].count("-") == 3 else ":")
        address = _address(text) or _address(labels[0].replace("-", ":"))
        return Record(asked, _kind(address), address) if address else None

    def _reverse(self, asked: str, kind: str) -> Answer:
        address = reversed_address(asked)
        found = self.addresses.get(address, ())
        if not found:
            return NOT_OURS
        records = tuple(Record(asked, "PTR", name) for name in found)
        return Answer(records if kind in ("PTR", "ANY") else ())


def build(
    domain: str, services: Iterable[Mapping[str, Any]], endpoints: Iterable[Mapping[str, Any]]
) -> Zone:
    """The zone of these Services and Endpoints, as the API has them."""
    names: dict[str, list[Record]] = {}
    addresses: dict[str, list[str]] = {}

    def add(name: str, kind: str, data: str) -> None:
        record = Record(name.lower(), kind, data)
        if record not in names.setdefault(record.name, []):
            names[record.name].append(record)

    def called(address: str, name: str) -> None:
        if name not in addresses.setdefault(address, []):
            addresses[address].append(name)

    add(domain, "SOA", f"ns.dns.{domain} hostmaster.{domain} 1 7200 1800 86400 {DENIAL}")
    add(f"dns-version.{domain}", "TXT", VERSION)
    behind = {_key(one): one for one in endpoints}
    for service in services:
        name = f"{'.'.join(_key(service))}.svc.{domain}"
        _service(service, behind.get(_key(service), {}), name, add, called)
    between = {parent for name in names for parent in _above(name, domain)} - names.keys()
    return Zone(domain, names, frozenset(between), addresses)


def _service(
    service: Mapping[str, Any], endpoint: Mapping[str, Any], name: str, add: Any, called: Any
) -> None:
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        add(name, "CNAME", spec["externalName"].rstrip(".").lower())
        return
    given = spec.get("clusterIPs") or [spec.get("clusterIP") or "None"]
    plain = [found for one in given if (found := _address(str(one)))]
    for address in plain:
        add(name, _kind(address), address)
        called(address, name)
    for port in (spec.get("ports") or ()) if plain else ():
        _port(add, name, port, name)
    for address, host, ports in _backends(endpoint):
        # A name of one endpoint stands for every kind of service, the service's for a headless one.
        add(f"{host}.{name}", _kind(address), address)
        if plain:
            continue
        add(name, _kind(address), address)
        called(address, f"{host}.{name}")
        for port in ports:
            _port(add, name, port, f"{host}.{name}")


def _port(add: Any, name: str, port: Mapping[str, Any], target: str) -> None:
    data = f"0 100 {port['port']} {target}"
    add(name, "SRV", data)
    if port.get("name"):
        add(f"_{port['name']}._{port.get('protocol', 'TCP').lower()}.{name}", "SRV", data)


def _backends(
    endpoint: Mapping[str, Any],
) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    """Address, name and ports of each endpoint that takes requests."""
    found = []
    for subset in endpoint.get("subsets") or ():
        for row in subset.get("addresses") or ():
            if address := _address(row.get("ip", "")):
                host = row.get("hostname") or re.sub(r"[.:]", "-", address)
                found.append((address, host, list(subset.get("ports") or ())))
    return found


def _key(thing: Mapping[str, Any]) -> tuple[str, str]:
    about = thing["metadata"]
    return about["name"], about["namespace"]


def _above(name: str, domain: str) -> list[str]:
    """The names between a name and the domain."""
    labels = name.removesuffix(f".{domain}").split(".")
    return [".".join([*labels[start:], domain]) for start in range(1, len(labels))]


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _kind(address: str) -> str:
    return "AAAA" if ":" in address else "A"


def reversed_address(name: str) -> str:
    """The address that a name for reverse lookups means: 4.3.2.1.in-addr.arpa is 1.2.3.4."""
    labels = name.split(".")[:-2][::-1]
    if name.endswith(".in-addr.arpa"):
        return _address(".".join(labels)) if len(labels) == 4 else ""
    if len(labels) != 32 or any(len(label) != 1 for label in labels):
        return ""
    digits = "".join(labels)
    return _address(":".join(digits[start : start + 4] for start in range(0, 32, 4)))
