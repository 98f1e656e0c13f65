"""Nodes on which kubeadm seems to do its work, for a cluster of fakes."""

from __future__ import annotations

from dlws.core.connection import Result
from dlws.kubernetes import kubeconfig
from dlws.shell.quoting import sh
from tests.support.commands import STATES, none_there, read, template
from tests.support.fakes import World
from tests.support.kubeconfigs import ON_NODE
from tests.support.states import lines, member

STATE = template("kubernetes/state.sh")
RUN = template("kubernetes/kubeadm.sh")
RESET = template("kubernetes/reset.sh")


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
        self.says = ""
        """What kubectl says on silent nodes."""
        self.flags: dict[str, str] = {}
        """More flags of nodes, by their names."""
        self.addresses: dict[str, str] = {}
        """What nodes report in the place of their own addresses."""
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
            return Result(0, ON_NODE)
        return None

    def state(self, name: str) -> bytes:
        words: dict[str, str | bytes] = {
            "version": f"v{self.version}",
            "machine_id": self.machine_ids[name],
            "hosts": "127.0.0.1 localhost\n",
        }
        flags = self.flags.get(name, "")
        if name in self.begun:
            return lines(f"init_started control_plane {flags}", {**words, "api_says": "refused"})
        if name not in self.members:
            return lines(flags, words)
        if not name.startswith("infra") or name in self.silent:
            words |= {"api_says": self.says} if name in self.silent and self.says else {}
            return lines(f"kubelet {flags}", words)
        words["ca"] = self.ca
        return lines(f"kubelet control_plane api {flags}", words, self.known())

    def known(self) -> list[str]:
        """The members as the API server has them."""
        return [
            member(
                name,
                pods,
                self.addresses.get(name)
                or str(self.world.cluster.config.machines[name].private_ip),
                name not in self.silent,
                self.machine_ids.get(name, ""),
            )
            for name, pods in self.members.items()
        ]
