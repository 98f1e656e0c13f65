"""The network of a sandbox: a bridge, the way out, and the guard that keeps its traffic inside."""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from dlws.connection import Local
from dlws.sandbox import naming
from dlws.sandbox.machine import run
from dlws.sandbox.state import Sandbox
from dlws.shell import sh

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
    """The sandbox's own table: NAT for its nodes, and nothing of theirs to where it has no business.

    `inside` are the networks of pods and services: a packet for one of them that no node has taken
    is lost, and must not leave by the default route. Other sandboxes are out of reach.
    """
    own, table = sandbox.bridge, f"dlws_{sandbox.id}"
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
        f"{stay}"
        "  }\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority 100; policy accept;\n"
        f'    ip saddr {sandbox.subnet} oifname != "{own}" masquerade\n'
        "  }\n"
        "}\n"
    )


def mac(sandbox: Sandbox) -> str:
    """A fixed address for the bridge: else it is that of a link, and changes as nodes come and go."""
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
    """A Docker daemon on this machine drops what others forward; nodes' packets are let through."""
    for rule in _accept_rules(sandbox):
        check = sh("iptables", "-w", "-C", "FORWARD", *rule)
        if not Local().run(check).ok:
            insert = sh("iptables", "-w", "-I", "FORWARD", *rule)
            run(insert, doing="letting the sandbox's packets through")


def _accept_rules(sandbox: Sandbox) -> list[tuple[str, ...]]:
    tag = ("-m", "comment", "--comment", f"dlws-{sandbox.id}", "-j", "ACCEPT")
    return [("-i", sandbox.bridge, *tag), ("-o", sandbox.bridge, *tag)]


def down(sandbox: Sandbox) -> None:
    """Removes the network and everything that bears the sandbox's name, whatever of it is there."""
    for name in _links(sandbox):
        run(sh("ip", "link", "delete", name), doing=f"removing link {name}")
    for rule in _accept_rules(sandbox):
        while Local().run(sh("iptables", "-w", "-C", "FORWARD", *rule)).ok:
            run(sh("iptables", "-w", "-D", "FORWARD", *rule), doing="removing an iptables rule")
    tables = run(sh("nft", "-j", "list", "tables"), doing="reading the packet rules").text
    for family, table in tables_of(sandbox.id, tables):
        run(sh("nft", "delete", "table", family, table), doing=f"removing table {table}")
    guard = ("unreachable", str(sandbox.subnet), "metric", GUARD_METRIC)
    while "unreachable" in run(sh("ip", "route", "show", *guard), doing="reading routes").text:
        run(sh("ip", "route", "delete", *guard), doing="removing the guard route")


def tables_of(id: str, listing: str) -> list[tuple[str, str]]:
    """Family and name of the tables of a sandbox in `nft -j list tables`."""
    tables = [entry["table"] for entry in json.loads(listing)["nftables"] if "table" in entry]
    mine = (f"dlws_{id}", f"dlws_{id}_")
    return [
        (table["family"], table["name"])
        for table in tables
        if table["name"] == mine[0] or table["name"].startswith(mine[1])
    ]


def _links(sandbox: Sandbox) -> list[str]:
    names = sorted(path.name for path in Path("/sys/class/net").iterdir())
    prefix = naming.link(naming.label(sandbox.id, 0))[:-1]
    return [name for name in names if name == sandbox.bridge or name.startswith(prefix)]
