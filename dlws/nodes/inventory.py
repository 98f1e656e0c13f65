"""How each machine of a configuration is reached: from config.yaml to nodes with connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.config.addresses import address_of, hosts_file
from dlws.nodes.directory import KEY
from dlws.nodes.firstcontact import FirstContact
from dlws.nodes.node import Login, Node
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import Target
from dlws.ssh.hostkeys import HostKeys, Machines, pin, place
from dlws.ssh.keys import Keys

if TYPE_CHECKING:
    from dlws.config import Config, Machine
    from dlws.config.model.machines import JumpHost
    from dlws.config.model.machines import Ssh as SshSection
    from dlws.runs.run import Run


def known_hosts(directory: Path) -> Path:
    return directory / "deploy/sshkey/known_hosts"


def private_key(directory: Path, configured: str) -> Path:
    """The configured key; where none is, the one that `build` made or an older DLWS brought."""
    if configured:
        return directory / Path(configured).expanduser()
    made, older = directory / KEY, directory / "deploy/sshkey/id_rsa"
    return older if older.exists() and not made.exists() else made


def target(
    config: Config,
    machine: Machine,
    directory: Path,
    hosts: Mapping[str, str],
    public: bool = False,
) -> Target:
    """Where and how to log in to a machine: its own values, else those under `ssh`."""
    ssh = config.ssh
    address = (public and machine.public_ip) or address_of(machine, dict(hosts)) or machine.fqdn
    user = machine.user or ssh.user or config.admin_username
    return replace(
        _manner(ssh),
        address=address,
        port=machine.port or ssh.port,
        user=user,
        key=private_key(directory, machine.key or ssh.key),
        password=machine.password or ssh.password,
        host_key=machine.host_key,
        machine=machine.name,
        sends_passwords=user != "root" and bool(machine.sudo_password or ssh.sudo_password),
    )


def _jump_target(jump: JumpHost, inside: Target, config: Config, directory: Path) -> Target:
    """Where and how to log in to a jump host: it gets no key or password of the node behind it."""
    ssh = config.ssh
    return replace(
        _manner(ssh),
        address=jump.host,
        port=jump.port,
        user=jump.user or inside.user,
        key=private_key(directory, jump.key or ssh.key),
        password=jump.password,
        host_key=jump.host_key,
        idle_timeout=0,  # what runs through it may be silent
    )


def _manner(ssh: SshSection) -> Target:
    """How all connections are made, and nothing of who logs in where."""
    return Target(
        address="",
        legacy_algorithms=ssh.legacy_algorithms,
        connect_timeout=ssh.connect_timeout,
        banner_timeout=ssh.banner_timeout,
        auth_timeout=ssh.auth_timeout,
        idle_timeout=ssh.idle_timeout,
        answer_timeout=ssh.answer_timeout,
        keepalive=ssh.keepalive,
        retries=ssh.retries,
    )


def machines(config: Config, hosts: Mapping[str, str]) -> Machines:
    """Which machine is where, under its private and its public address, and the keys pinned."""
    places: dict[str, str] = {}
    for machine in config.machines.values():
        port = machine.port or config.ssh.port
        private = address_of(machine, dict(hosts)) or machine.fqdn
        for address in filter(None, (private, machine.public_ip)):
            places.setdefault(place(address, port), machine.name)
    pins: dict[str, str] = {}
    for machine in config.machines.values():
        if machine.host_key:
            pins.setdefault(pin(machine.host_key), machine.name)
    return Machines(places, pins, config.ssh.shared_host_keys)


def nodes(config: Config, run: Run) -> list[Node]:
    """Every machine as a Node; machines behind the same jump host share one connection to it."""
    directory = run.options.directory
    hosts = hosts_file(directory)
    keys, known = Keys(run.vault), HostKeys(known_hosts(directory), machines(config, hosts))
    meet = FirstContact(known, run, config.ssh.accept_new).meet
    agent = config.ssh.agent
    connect = partial(Ssh, known=known, keys=keys, agent=agent, halt=run.halt, meet=meet)
    joined = cache(connect)  # the connection to a jump host is the same for all behind it

    def made(machine: Machine) -> Node:
        at = target(config, machine, directory, hosts, run.options.public)
        jump = machine.jump_host or config.ssh.jump_host
        via = joined(_jump_target(jump, at, config, directory)) if jump else None
        login = Login(at.user, machine.sudo_password or config.ssh.sudo_password)
        return Node(machine, at.address, connect(at, via=via), login, run)

    return [made(machine) for machine in config.machines.values()]
