"""check as a command: one read of each node, the table, JSON, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.check import collect
from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.nodes.node import Login, Node
from tests.support.facts import GPU, TEXT, config_of
from tests.support.fakes import Answer, Fake, Make, World

NO_SUDO = Result(1, b"", b"sudo: a password is required\n")


def answer(command: str, stdin: bytes) -> Result | None:
    return Result(0, GPU.encode())


def node_of(world: World, name: str, user: str, *rules: Answer) -> tuple[Node, Fake]:
    fake = Fake(name, rules=list(rules))
    old = next(node for node in world.cluster.nodes if node.name == name)
    return Node(old.machine, old.address, fake, Login(user), world.cluster.run), fake


def test_one_round_trip_as_root_by_sudo(make: Make) -> None:
    node, fake = node_of(make(TEXT), "worker01", "dlwsadmin", answer)
    facts = collect.ask(node, "text of the script")
    assert facts.complete and facts.skew is not None and not facts.sudo_error
    [(command, stdin)] = fake.asked
    assert "sudo -n" in command and stdin == b"text of the script"


def test_without_sudo_the_rest_is_seen_all_the_same(make: Make) -> None:
    def refuse(command: str, stdin: bytes) -> Result | None:
        return NO_SUDO if "sudo" in command else None

    node, fake = node_of(make(TEXT), "worker01", "u", refuse, answer)
    facts = collect.ask(node, "x")
    assert facts.complete and "a password is required" in facts.sudo_error
    assert ["sudo" in command for command, _ in fake.asked] == [True, False]


@pytest.mark.parametrize("user", ["root", "u"])
def test_a_node_without_bash_is_a_failure(make: Make, user: str) -> None:
    missing = Result(127, b"", b"timeout: failed to run command 'bash'")
    node, _ = node_of(make(TEXT), "worker01", user, lambda *_: missing)
    with pytest.raises(DeployError, match="bash"):
        collect.ask(node, "x")


def test_errors_of_nodes_become_facts(make: Make) -> None:
    world = make(TEXT)
    world.fakes["worker02"].rules.append(lambda *_: Result(1, b"", b"broken"))
    found = collect.collect(world.cluster, world.cluster.nodes)
    assert [facts.reached for facts in found] == [False, False, False]
    assert "broken" in found[2].error


def test_what_a_node_is_asked(tmp_path: Path) -> None:
    config = config_of(tmp_path, TEXT.replace("network: flannel", "image_repository: 'h:5/$(x)'"))
    calls = collect.questions(config, [("infra01", "10.1.0.1", 6443)], {"worker01": "10.1.0.11"})
    assert calls.splitlines() == [
        "ports infra01 10.1.0.1 6443 &",
        "names worker01.example.org &",
        "addresses 10.1.0.11 &",
        "mirrors &",
        "hosts h 5 &",
        "wait",
        "fact end 1",
    ]
    bundle = config_of(tmp_path, TEXT.replace("network: flannel", "source: bundle"))
    assert "mirrors" not in collect.questions(bundle, [], {})


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("registry.k8s.io", ("registry.k8s.io", 443)),
        ("harbor.example:8443/lib/", ("harbor.example", 8443)),
        ("http://harbor.example/lib", ("harbor.example", 80)),
        ("localhost:5000", ("localhost", 5000)),
        ("someuser", ("registry-1.docker.io", 443)),
    ],
)
def test_where_a_registry_is(name: str, place: tuple[str, int]) -> None:
    assert collect.registry(name) == place
