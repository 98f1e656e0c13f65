from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dlws.check import show
from dlws.check.facts import Facts
from dlws.check.findings import Finding
from dlws.core.errors import CheckFailed
from tests.support.facts import ALL, INFRA, TEXT, WORKER, config_of
from tests.support.fakes import Make

Capsys = pytest.CaptureFixture[str]


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


def test_the_level_of_a_finding_has_its_colour(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    failing(monkeypatch, INFRA, replace(WORKER, error="x[red]y", cure="switch it on"))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    cluster = make(TEXT).cluster
    with pytest.raises(CheckFailed):
        show.check(cluster, cluster.nodes)
    out = capsys.readouterr().out
    assert "x[red]y" in out and "\x1b[31mfailure\x1b[0m" in out
