"""check as a command: one read of each node, the table, JSON, exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dlws.check import collect, show
from dlws.check.facts import Facts
from dlws.check.findings import Finding
from dlws.core.connection import KEEP, Echo, Result, Stdin
from dlws.core.errors import CheckFailed, DeployError
from dlws.nodes.node import Login, Node
from tests.check.test_rules import ALL, GPU, INFRA, TEXT, WORKER, config_of
from tests.conftest import Deploy, free_port
from tests.kubernetes.conftest import Answer, Fake, World, make

__all__ = ["make"]

Make = Callable[..., World]
Capsys = pytest.CaptureFixture[str]
NO_SUDO = Result(1, b"", b"sudo: a password is required\n")


def answer(command: str, stdin: bytes) -> Result | None:
    return Result(0, GPU.encode())


class Speaking(Fake):
    """A fake that passes its output on as it arrives, as connections do."""

    def run(
        self, command: str, stdin: Stdin = b"", echo: Echo | None = None, keep: int = KEEP
    ) -> Result:
        result = super().run(command, stdin, echo, keep)
        if echo and result.out:
            echo("out", result.out)
        return result


def node_of(world: World, name: str, user: str, *rules: Answer) -> tuple[Node, Speaking]:
    fake = Speaking(name, rules=list(rules))
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


def test_equal_findings_share_a_row(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    facts = [replace(one, hosts={("registry.k8s.io", 443): "silent"}) for one in ALL[1:]]
    table = show.rows([INFRA, *facts], show.find([INFRA, *facts], config))
    assert [row[:3] for row in table] == [
        ("failure", "worker[01-02]", "registries"), ("ok", "infra01", ""),
    ]  # fmt: skip
    assert table[1][3] == "Ubuntu 22.04.5 LTS amd64"


def test_the_worst_comes_first(tmp_path: Path) -> None:
    ill = replace(WORKER, swap=("x",), container="", cores=1, architecture="arm64")
    boxed = replace(INFRA, container="lxc")
    found = show.find([boxed, ill], config_of(tmp_path))
    assert [one.level for one in found] == ["failure", "warning", "warning", "unknown"]


def test_plain_keeps_a_finding_on_its_line() -> None:
    finding = Finding("failure", "w1", "two\nlines\tü", "", "ssh")
    text = show.plain(show.rows([], [finding]))
    assert text.splitlines()[1].split(None, 3) == ["failure", "w1", "ssh", "two lines ü"]


def test_json_has_all_that_was_found(tmp_path: Path) -> None:
    away = Facts("worker02", "10.1.0.12", "does not answer", "is it switched on?")
    all = [replace(INFRA, skew=3600.0), replace(WORKER, skew=3600.0), away]
    told = json.loads(show.as_json(all, show.find(all, config_of(tmp_path))))
    assert told["healthy"] is False
    assert [(node["node"], node["reachable"], node["result"]) for node in told["nodes"]] == [
        ("infra01", True, "failure"), ("worker01", True, "failure"), ("worker02", False, "failure"),
    ]  # fmt: skip
    assert told["nodes"][2]["findings"] == [
        {"level": "failure", "node": "worker02", "what": "does not answer",
         "cure": "is it switched on?", "check": "ssh"}
    ]  # fmt: skip
    assert told["nodes"][2]["facts"] == {}
    facts = told["nodes"][1]["facts"]
    assert (facts["cores"], facts["gpus"]) == (128, 4)
    assert facts["ports"] == {"infra01:6443": "refused"}


def failing(monkeypatch: pytest.MonkeyPatch, *all: Facts) -> None:
    monkeypatch.setattr(show, "collect", lambda cluster, nodes: list(all))


def test_warnings_alone_do_not_fail(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    failing(monkeypatch, INFRA, replace(WORKER, swap=("/swap.img",)))
    cluster = make(TEXT).cluster
    show.check(cluster, cluster.nodes)
    assert "warning  worker01  swap" in capsys.readouterr().out


def test_failures_fail_with_the_nodes(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    failing(monkeypatch, INFRA, replace(WORKER, error="no answer", cure="switch it on"))
    cluster = make(TEXT).cluster
    with pytest.raises(CheckFailed, match="1 failure: worker01"):
        show.check(cluster, cluster.nodes, as_data=True)
    assert json.loads(capsys.readouterr().out)["healthy"] is False


def test_on_a_terminal_it_is_the_same_table(capsys: pytest.CaptureFixture[str]) -> None:
    found = [Finding("failure", "w1", "x[red]y", "z", "ssh")]
    show.show(show.rows([WORKER], found), terminal=True)
    out = capsys.readouterr().out
    assert "x[red]y" in out and "worker01" in out


def test_a_real_ssh_server_that_stands_in_for_all_nodes(deploy: Deploy) -> None:
    told = json.loads(deploy("check", "--output", "json", code=5).stdout)
    identity = [
        one for node in told["nodes"] for one in node["findings"] if one["check"] == "identity"
    ]
    assert {one["node"] for one in identity} == {"infra1", "w1", "w2", "w3"}
    assert {one["what"] for one in identity} == {"infra1,w[1-3] are one machine"}


def test_unreachable_nodes_are_rows(deploy: Deploy) -> None:
    config = deploy.directory / "config.yaml"
    config.write_text(re.sub(r"port: \d+", f"port: {free_port()}", config.read_text()))
    done = deploy("check", code=5)
    failures = [line for line in done.stdout.splitlines() if line.startswith("failure")]
    assert [line.split()[:6] for line in failures] == [
        ["failure", "infra1,w[1-3]", "ssh", "it", "refuses", "connections"]
    ]
    assert "4 failures: infra1,w[1-3]" in done.stderr


def test_a_pattern_that_fits_nothing_is_a_usage_error(deploy: Deploy) -> None:
    assert "no node" in deploy("check", "nobody", code=2).stderr
