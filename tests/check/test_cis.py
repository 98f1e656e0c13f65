"""`check --cis`: what nodes answer becomes points, and the exit code."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dlws.check import cis
from dlws.check.cis_points import Facts
from dlws.core import resources
from dlws.core.connection import Result
from dlws.core.errors import CheckFailed, DeployError, SomeNodesFailed
from tests.support.fakes import Make, World

KUBELET = {"authentication": {"anonymous": {"enabled": False}}}


def encoded(value: object) -> str:
    return base64.b64encode(yaml.safe_dump(value).encode()).decode()


def manifest(*words: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"command": ["x", *words]}]}}


def answer(infra: bool, mode: str = "600") -> str:
    modes = f"{mode} root:root /var/lib/kubelet/config.yaml\0" + "700 root:root /var/lib/etcd\0"
    lines = [f"kubelet={encoded(KUBELET)}"]
    if infra:
        lines.append(f"kube-apiserver={encoded(manifest('--profiling=false'))}")
    lines += [f"modes={base64.b64encode(modes.encode()).decode()}", "provider=secretbox"]
    return "\n".join(lines)


def answering(world: World, **changes: str) -> None:
    for name, fake in world.fakes.items():
        text = changes.get(name, answer(name.startswith("infra")))
        fake.rules.append(lambda command, _, text=text: Result(0, text.encode()))  # type: ignore[misc]


def test_facts() -> None:
    facts = cis.parse(answer(True), True)
    assert facts.pods == {"kube-apiserver": {"profiling": "false"}}
    assert facts.modes["/var/lib/etcd"] == (0o700, "root:root")
    assert (facts.kubelet, facts.provider, facts.infra) == (KUBELET, "secretbox", True)


def test_a_value_does_not_end_its_line() -> None:
    facts = cis.parse(answer(True) + "\u2028provider=aescbc\x0bkubelet=", True)
    assert facts.provider == "secretbox\u2028provider=aescbc\x0bkubelet="


def test_the_table_names_what_is_missed_and_fails(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make()
    answering(world, worker01=answer(False, "666"))
    with pytest.raises(CheckFailed, match="points are not met: infra01,worker"):
        cis.check(world.cluster, world.cluster.nodes)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["RESULT", "NODES", "CIS", "SUBJECT", "FOUND", "WANTED", "CURE"]
    (row,) = (line for line in lines if "config.yaml is 666" in line)
    assert row.split()[:3] == ["failure", "worker01", "4.1.9-10"] and "chmod" in row
    results = [line.split()[0] for line in lines[1:]]
    assert results == sorted(results, key=lambda result: result != "failure")


def test_no_node_makes_the_table_endless() -> None:
    found = ("x" * 1_000_000, "a\n" * 300_000)
    lines = cis.table([cis.Result("w1", "4.1", "s", found, "w", "c")]).splitlines()
    assert len(lines) == 2 and len(lines[1]) < 1000 and "x..." in lines[1]


def test_json_has_all(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    world = make()
    answering(world)
    with pytest.raises(CheckFailed):
        cis.check(world.cluster, world.cluster.nodes, as_data=True)
    data = json.loads(capsys.readouterr().out)
    assert data["met"] is False
    met = {(row["node"], row["id"]) for row in data["points"] if row["met"]}
    assert ("infra01", "1.2.15") in met and ("worker01", "4.2.1") in met


def test_what_is_met_by_all_ends_well(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cis, "judged", lambda facts: iter(()))
    world = make()
    answering(world)
    cis.check(world.cluster, world.cluster.nodes, as_data=True)
    assert json.loads(capsys.readouterr().out)["met"] is True


@pytest.mark.parametrize(
    "text", ["", "kubelet=!", "kubelet=", f"kubelet={encoded([1])}", "kubelet=YQ==\nmodes=x"]
)
def test_a_node_that_answers_nonsense_fails_alone(make: Make, text: str) -> None:
    world = make()
    answering(world, worker01=text)
    with pytest.raises(SomeNodesFailed, match="worker01"):
        cis.check(world.cluster, world.cluster.nodes)


@given(st.text(max_size=80), st.sampled_from(["modes", "kubelet", "kube-apiserver", "provider"]))
def test_nothing_but_an_error_leaves_the_parser(value: str, key: str) -> None:
    text = f"{answer(True)}\n{key}={value}"
    try:
        assert isinstance(cis.parse(text, True), Facts)
    except DeployError as error:
        assert error.message


def test_it_asks_and_changes_nothing() -> None:
    text = (resources.templates() / "check/cis.sh").read_text()
    words = ("chmod", "chown", "rm ", "mkdir", "systemctl", "kubectl")
    assert not [word for word in words if word in text]
