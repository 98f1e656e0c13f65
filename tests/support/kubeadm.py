"""Nodes on which kubeadm seems to do its work, for a cluster of fakes."""

from __future__ import annotations

import base64

from dlws.core.connection import Result
from dlws.kubernetes import kubeconfig
from dlws.shell.quoting import sh
from tests.support.commands import STATES, none_there, read, template
from tests.support.fakes import World

STATE = template("kubernetes/state.sh")
RUN = template("kubernetes/kubeadm.sh")
RESET = template("kubernetes/reset.sh")
ADMIN = b"apiVersion: v1\nclusters: [{name: c, cluster: {server: 'https://10.1.0.1:6443'}}]\n"


class Nodes:
    """Answers like nodes with kubeadm: who ran init or join is a member from then on."""

    def __init__(
        self,
        world: World,
        ca: bytes,
        members: dict[str, str] | None = None,
        version: str = "1.20.2",
    ) -> None:
        self.world, self.ca, self.version = world, ca, version
        self.members = members or {}
        self.begun: set[str] = set()
        self.silent: set[str] = set()
        self.failing: set[str] = set()
        self.machine_ids = {name: f"id-of-{name}" for name in world.fakes}
        for name, fake in world.fakes.items():
            fake.rules.append(lambda command, stdin, name=name: self.answer(name, command, stdin))  # type: ignore[misc]

    def answer(self, name: str, command: str, stdin: bytes) -> Result | None:
        script, words = read(command)
        if script == STATES:
            return none_there(command, stdin)
        if script == STATE:
            return Result(0, self.state(name))
        if script == RUN and "init" in words:
            self.members.setdefault(name, "10.244.0.0/24")
        if script == RUN and "join" in words:
            if name in self.failing:
                return Result(1, b"", b"preflight failed")
            self.members.setdefault(name, f"10.244.{len(self.members)}.0/24")
        if script == sh("cat", kubeconfig.ADMIN):
            return Result(0, ADMIN)
        return None

    def state(self, name: str) -> bytes:
        lines = [f"version=v{self.version}"]
        lines += [f"machine_id={self.machine_ids[name]}"]
        lines += ["hosts=" + base64.b64encode(b"127.0.0.1 localhost\n").decode()]
        if name in self.begun:
            lines += ["init_started=1", "control_plane=1", "api_says=refused"]
        elif name in self.members:
            lines.append("kubelet=1")
            if name.startswith("infra") and name not in self.silent:
                lines += [f"ca={base64.b64encode(self.ca).decode()}", "control_plane=1", "api=1"]
                lines += [self.member(*pair) for pair in self.members.items()]
        return "\n".join(lines).encode()

    def member(self, name: str, pods: str) -> str:
        address = self.world.cluster.config.machines[name].private_ip
        ready, id = "False" if name in self.silent else "True", self.machine_ids[name]
        return f"member={name}|{pods}|{address}|{ready}|{id}"
