"""The network of a sandbox: a bridge, the way out, and the guard that keeps its traffic inside."""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from dlws.core.connection import Local
from dlws.sandbox import naming
from dlws.sandbox.machine import run
from dlws.sandbox.state import Sandbox
from dlws.shell.quoting import sh

GUARD_METRIC = "4278198272"
"""Higher than any route that means something, so that it holds only while there is none."""


def used_networks(routes: str) -> list[IPv4Network]:
    """The networks in `ip -j route show table all`, the default route left out."""
    found = []
    for route in json.loads(routes or "[]"):
        destination = route.get("dst", "default")
        if destination != "default" and ":" not in destination:
            found.append(IPv4Network(destination, strict=False))
    return [network for network in found if network.prefixlen > 0]


def machine_networks() -> list[IPv4Network]:
    routes = run(sh("ip", "-4", "-j", "route", "show", "table", "all"), doing="reading the routes")
    return used_networks(routes.text) + [IPv4Network(server) for server in nameservers()]


def nameservers() -> list[str]:
    """The machine's IPv4 name servers that its nodes can reach too."""
    for path in ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"):
        if Path(path).exists() and (servers := parse_nameservers(Path(path).read_text())):
            return servers
    return []


def parse_nameservers(text: str) -> list[str]:
    """IPv4 name servers of a resolv.conf, without those that listen on the machine alone."""
    words = [line.split() for line in text.splitlines()]
    servers = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return [server for server in servers if ":" not in server and not server.startswith("127.")]


def ruleset(sandbox: Sandbox, inside: Iterable[IPv4Network]) -> str:
    """The sandbox's own table: NAT for its nodes, and no way to where they have no business.

    `inside` are the networks of pods and services: a packet for one of them that no node has taken
    is lost, and must not leave by the default route. Other sandboxes are out of reach.
    """
    own, table = sandbox.bridge, f"dlws_{sandbox.id}"
    # What comes from elsewhere and is no answer has no business with the nodes.
    answers = "ct state != { established, related }"
    stay = "".join(
        f'    iifname "{own}" oifname != "{own}" ip daddr {network} reject\n' for network in inside
    )
    return (
        f"table ip {table}\n"
        f"delete table ip {table}\n"
        f"table ip {table} {{\n"
        "  chain forward {\n"
        "    type filter hook forward priority 0; policy accept;\n"
        f'    iifname "{own}" oifname "{naming.bridge("*")}" oifname != "{own}" reject\n'
        f'    iifname != "{own}" oifname "{own}" {answers} reject\n'
        f"{stay}"
        "  }\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority 100; policy accept;\n"
        f'    ip saddr {sandbox.subnet} oifname != "{own}" masquerade\n'
        "  }\n"
        "}\n"
    )


def mac(sandbox: Sandbox) -> str:
    """The bridge's own address: else it is that of a link, and changes as nodes come and go."""
    return "02:dd:" + ":".join(f"{byte:02x}" for byte in sandbox.subnet.network_address.packed)


def up(sandbox: Sandbox, inside: Iterable[IPv4Network]) -> bool:
    """Makes what is missing of the sandbox's network; says whether anything was."""
    guard = ("unreachable", str(sandbox.subnet), "metric", GUARD_METRIC)
    run(sh("ip", "route", "replace", *guard), doing="guarding the sandbox's network")
    new = not Path("/sys/class/net", sandbox.bridge).exists()
    if new:
        add = sh("ip", "link", "add", sandbox.bridge, "address", mac(sandbox), "type", "bridge")
        run(add, doing=f"making bridge {sandbox.bridge}")
    run(sh("ip", "link", "set", sandbox.bridge, "up"), doing=f"starting bridge {sandbox.bridge}")
    address = sh("ip", "address", "replace", f"{sandbox.gateway}/24", "dev", sandbox.bridge)
    run(address, doing=f"giving bridge {sandbox.bridge} its address")
    rules = ruleset(sandbox, inside).encode()
    run(sh("nft", "-f", "-"), stdin=rules, doing="setting the sandbox's packet rules")
    _let_through(sandbox)
    return new


def _let_through(sandbox: Sandbox) -> None:
    """A Docker daemon on this machine drops what others forward.

    The nodes' packets are let through, and the answers to them.
    """
    _drop_rules([_open_rule(sandbox.id)])
    for rule in _accept_rules(sandbox.id):
        check = sh("iptables", "-w", "-C", "FORWARD", *rule)
        if not Local().run(check).ok:
            insert = sh("iptables", "-w", "-I", "FORWARD", *rule)
            run(insert, doing="letting the sandbox's packets through")


def _accept_rules(id: str) -> list[tuple[str, ...]]:
    answers = ("-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED")
    own = naming.bridge(id)
    return [("-i", own, *_tag(id)), ("-o", own, *answers, *_tag(id))]


def _open_rule(id: str) -> tuple[str, ...]:
    """What earlier versions set: it let everybody through to the nodes."""
    return ("-o", naming.bridge(id), *_tag(id))


def _tag(id: str) -> tuple[str, ...]:
    return ("-m", "comment", "--comment", f"dlws-{id}", "-j", "ACCEPT")


def _drop_rules(rules: Iterable[tuple[str, ...]]) -> None:
    for rule in rules:
        while Local().run(sh("iptables", "-w", "-C", "FORWARD", *rule)).ok:
            run(sh("iptables", "-w", "-D", "FORWARD", *rule), doing="removing an iptables rule")


def subnet_of(id: str) -> IPv4Network | None:
    """The network of a sandbox as its bridge tells, for when no state file does."""
    name = naming.bridge(id)
    if not Path("/sys/class/net", name).exists():
        return None
    listing = run(sh("ip", "-4", "-j", "address", "show", "dev", name), doing="reading addresses")
    for address in [one for entry in json.loads(listing.text) for one in entry["addr_info"]]:
        return IPv4Network((address["local"], address["prefixlen"]), strict=False)
    return None


def down(id: str, subnet: IPv4Network | None) -> None:
    """Removes the network and everything that bears the sandbox's name, whatever of it is there."""
    for name in _links(id):
        run(sh("ip", "link", "delete", name), doing=f"removing link {name}")
    _drop_rules([*_accept_rules(id), _open_rule(id)])
    tables = run(sh("nft", "-j", "list", "tables"), doing="reading the packet rules").text
    for family, table in tables_of(id, tables):
        run(sh("nft", "delete", "table", family, table), doing=f"removing table {table}")
    _drop_empty_filter_table(tables)
    if subnet:
        _unguard(str(subnet))


def _unguard(subnet: str) -> None:
    show = sh("ip", "route", "show", "type", "unreachable", "exact", subnet)
    if GUARD_METRIC in run(show, doing="reading the routes").text:
        guard = ("unreachable", subnet, "metric", GUARD_METRIC)
        run(sh("ip", "route", "delete", *guard), doing="removing the guard route")


def _drop_empty_filter_table(tables: str) -> None:
    """iptables makes the table for its first rule and leaves it behind the last one."""
    names = [entry["table"]["name"] for entry in json.loads(tables)["nftables"] if "table" in entry]
    if "filter" in names:
        content = Local().run(sh("nft", "-j", "list", "table", "ip", "filter")).text
        if is_empty_table(content):
            run(sh("nft", "delete", "table", "ip", "filter"), doing="removing an empty table")


def is_empty_table(listing: str) -> bool:
    """Whether a table in `nft -j list table` has no rule and only chains that let all pass."""
    if not listing:
        return False
    entries = json.loads(listing)["nftables"]
    chains = [entry["chain"] for entry in entries if "chain" in entry]
    passing = all(chain.get("policy") == "accept" for chain in chains)
    return passing and not any("rule" in entry for entry in entries)


def tables_of(id: str, listing: str) -> list[tuple[str, str]]:
    """Family and name of the tables of a sandbox in `nft -j list tables`."""
    tables = [entry["table"] for entry in json.loads(listing)["nftables"] if "table" in entry]
    mine = (f"dlws_{id}", f"dlws_{id}_")
    return [
        (table["family"], table["name"])
        for table in tables
        if table["name"] == mine[0] or table["name"].startswith(mine[1])
    ]


def _links(id: str) -> list[str]:
    names = sorted(path.name for path in Path("/sys/class/net").iterdir())
    prefix = naming.link(f"{id}-")
    return [name for name in names if name == naming.bridge(id) or name.startswith(prefix)]
