"""How each machine of a configuration is reached: from config.yaml to nodes with connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.config.addresses import address_of, hosts_file, is_address
from dlws.config.model.machines import JumpHost, jump_host
from dlws.core import person
from dlws.core.errors import UsageError
from dlws.nodes.directory import KEY
from dlws.nodes.firstcontact import FirstContact
from dlws.nodes.node import Login, Node
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import Target
from dlws.ssh.hostkeys import HostKeys, Machines, pin, place
from dlws.ssh.keys import Keys
from dlws.ssh.ownway import NOTHING, OwnWay, OwnWays

if TYPE_CHECKING:
    from dlws.config import Config, Machine
    from dlws.config.model.machines import Hop
    from dlws.config.model.machines import Ssh as SshSection
    from dlws.runs.run import Run


def known_hosts(directory: Path) -> Path:
    return directory / "deploy/sshkey/known_hosts"


def private_key(directory: Path, configured: str) -> Path:
    """The configured key; where none is, the one that `build` made or an older DLWS brought."""
    if configured:
        return directory / person.expanded(configured)
    made, older = directory / KEY, directory / "deploy/sshkey/id_rsa"
    return older if older.exists() and not made.exists() else made


KeyFile = Callable[[str], Path]
"""The private key for what is configured: hundreds of machines have the same."""


def target(
    config: Config,
    machine: Machine,
    key: KeyFile,
    hosts: Mapping[str, str],
    public: bool = False,
    own: OwnWay = NOTHING,
) -> Target:
    """Where and how to log in to a machine: its own values, else those under `ssh`, else those of
    ~/.ssh/config."""
    ssh = config.ssh
    user = machine.user or ssh.user or own.user or config.admin_username
    return replace(
        _manner(ssh, own),
        address=_address(machine, hosts, public) or own.hostname or machine.fqdn,
        port=_port(config, machine) or own.port or ssh.port,
        user=user,
        key=key(machine.key or ssh.key),
        password=machine.password or ssh.password,
        host_key=machine.host_key,
        machine=machine.name,
        sends_passwords=user != "root" and bool(machine.sudo_password or ssh.sudo_password),
    )


def _address(machine: Machine, hosts: Mapping[str, str], public: bool = False) -> str:
    return str((public and machine.public_ip) or address_of(machine, dict(hosts)) or "")


def _port(config: Config, machine: Machine) -> int | None:
    """The port that config.yaml gives; its default counts less than ~/.ssh/config."""
    return machine.port or (config.ssh.port if "port" in config.ssh.model_fields_set else None)


def own_way(
    config: Config, machine: Machine, hosts: Mapping[str, str], own: OwnWays, public: bool = False
) -> OwnWay:
    """What ~/.ssh/config says of a machine by any of its names, knowing what config.yaml says."""
    address = _address(machine, hosts, public)
    admin = config.admin_username if "admin_username" in config.model_fields_set else ""
    given: dict[str, str | int | None] = {
        "user": machine.user or config.ssh.user or admin,
        "port": _port(config, machine),
        "hostname": address,
    }
    names = dict.fromkeys(filter(None, (machine.name, machine.fqdn, address)))
    return own.to(list(names), given)


def _jump_target(hop: Hop, inside: Target, config: Config, key: KeyFile, own: OwnWay) -> Target:
    """Where and how to log in to a jump host: it gets no key or password of the node behind it."""
    ssh = config.ssh
    given = hop.port if "port" in hop.model_fields_set else None
    return replace(
        _manner(ssh, own),
        address=own.hostname or hop.host,
        port=given or own.port or hop.port,
        user=hop.user or own.user or inside.user,
        key=key(hop.key or ssh.key),
        password=hop.password,
        host_key=hop.host_key,
        idle_timeout=0,  # what runs through it may be silent
    )


_LONGEST = 8
"""More jump hosts than this, one before the other, are a circle."""


def hops(jump: JumpHost | None, way: OwnWay, own: OwnWays) -> list[tuple[Hop, OwnWay]]:
    """The jump hosts before a machine, the first one first: those of config.yaml, else those of
    ~/.ssh/config, which may also have some before the first one."""
    if jump:
        return [(hop, _hop_way(hop, own)) for hop in jump.hops]
    found: list[tuple[Hop, OwnWay]] = []
    chain = _named(way)
    while chain:
        level = [(hop, _hop_way(hop, own)) for hop in chain]
        found = level + found
        if len(found) > _LONGEST:
            raise UsageError(
                f"~/.ssh/config: {chain[0].host} is reached over more than {_LONGEST} jump hosts",
                "does one come before itself there? ssh.config: false ignores the file",
            )
        chain = _named(level[0][1])
    return found


def _named(way: OwnWay) -> tuple[Hop, ...]:
    if not way.jumps:
        return ()
    try:
        words = ",".join(hop.removeprefix("ssh://") for hop in way.jumps)
        return JumpHost.model_validate(jump_host(words)).hops
    except ValueError as error:
        raise UsageError(
            f"~/.ssh/config: ProxyJump {','.join(way.jumps)} is no list of user@host:port",
            "mend it, or set ssh.config: false in config.yaml, and dlws does not read it",
        ) from error


def _hop_way(hop: Hop, own: OwnWays) -> OwnWay:
    port = hop.port if "port" in hop.model_fields_set else None
    address = hop.host if is_address(hop.host) else ""
    return own.to([hop.host], {"user": hop.user, "port": port, "hostname": address})


def _manner(ssh: SshSection, own: OwnWay) -> Target:
    """How connections are made, and nothing of who logs in where."""
    patience = None if "connect_timeout" in ssh.model_fields_set else own.connect_timeout
    return Target(
        address="",
        identities=own.identities,
        only_identities=own.only_identities,
        agent="" if own.agent.lower() == "none" else own.agent,
        algorithms=own.algorithms,
        known_as=own.known_as,
        obstacle=own.obstacle,
        legacy_algorithms=ssh.legacy_algorithms,
        connect_timeout=patience or ssh.connect_timeout,
        banner_timeout=ssh.banner_timeout,
        auth_timeout=ssh.auth_timeout,
        idle_timeout=ssh.idle_timeout,
        answer_timeout=ssh.answer_timeout,
        keepalive=ssh.keepalive,
        retries=ssh.retries,
    )


def machines(
    config: Config, hosts: Mapping[str, str], ways: Mapping[str, OwnWay] | None = None
) -> Machines:
    """Which machine is where, under its private and its public address, and the keys pinned."""
    places: dict[str, str] = {}
    for machine in config.machines.values():
        own = (ways or {}).get(machine.name, NOTHING)
        port = _port(config, machine) or own.port or config.ssh.port
        private = _address(machine, hosts) or own.hostname or machine.fqdn
        for address in filter(None, (private, machine.public_ip)):
            places.setdefault(place(address, port), machine.name)
        if own.known_as:
            places.setdefault(own.known_as, machine.name)
    pins: dict[str, str] = {}
    for machine in config.machines.values():
        if machine.host_key:
            pins.setdefault(pin(machine.host_key), machine.name)
    return Machines(places, pins, config.ssh.shared_host_keys)


def nodes(config: Config, run: Run) -> list[Node]:
    """Every machine as a Node; machines behind the same jump host share one connection to it."""
    directory, public = run.options.directory, run.options.public
    hosts, own = hosts_file(directory), OwnWays(person.known_home() or Path("/"), config.ssh.config)
    ways = {m.name: own_way(config, m, hosts, own, public) for m in config.machines.values()}
    keys, known = Keys(run.vault), HostKeys(known_hosts(directory), machines(config, hosts, ways))
    meet = FirstContact(known, run, config.ssh.accept_new).meet
    connect = partial(Ssh, known=known, keys=keys, halt=run.halt, meet=meet)
    key = cache(partial(private_key, directory))
    joined = cache(connect)  # the connection to a jump host is the same for all behind it

    def made(machine: Machine) -> Node:
        way = ways[machine.name]
        at = target(config, machine, key, hosts, public, way)
        jump, via = machine.jump_host or config.ssh.jump_host, None
        before = hops(jump, way, own)
        if before:
            at = replace(at, obstacle="")  # config.yaml has another way
        for hop, its in before:
            there = _jump_target(hop, at, config, key, its)
            via = joined(there, via=via, agent=asks_agent(config.ssh, its))
        login = Login(at.user, machine.sudo_password or config.ssh.sudo_password)
        connection = connect(at, via=via, agent=asks_agent(config.ssh, way))
        return Node(machine, at.address, connection, login, run)

    made_nodes = [made(machine) for machine in config.machines.values()]
    for line in own.remarks():
        run.console.warn(line)
    return made_nodes


def asks_agent(ssh: SshSection, own: OwnWay) -> bool:
    """Whether an agent is asked: as config.yaml says, else where ~/.ssh/config names one."""
    if "agent" in ssh.model_fields_set:
        return ssh.agent
    return own.agent.lower() not in ("", "none")
