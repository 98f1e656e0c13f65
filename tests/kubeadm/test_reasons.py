"""The last errors of kubelets and containers, as people read them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError
from dlws.kubeadm import join
from dlws.kubeadm import reasons as module
from dlws.kubeadm.reasons import News, cure, reasons, watched
from dlws.shell.quoting import script
from tests.support.commands import runs
from tests.support.fakes import Make
from tests.support.kubeadm import RUN, Nodes

TEXT = """kubelet: E1129 12:00:00.000001   1 pods.go:1] "Error syncing pod" id=0123456789abcdef
kubelet: E1129 12:00:05.000001    1234 pod_workers.go:191] "Error syncing pod" id=fedcba9876543210
kubelet: F1129 12:00:06.000001    1234 server.go:266] failed to run Kubelet: running with swap on
etcd: panic: write /var/lib/etcd/x: no space left on device
"""


def test_what_is_said_again_and_again_is_told_once() -> None:
    assert reasons(TEXT) == [
        'kubelet: "Error syncing pod" id=fedcba9876543210 (2 times)',
        "kubelet: failed to run Kubelet: running with swap on",
        "etcd: panic: write /var/lib/etcd/x: no space left on device",
    ]
    assert reasons("") == []
    assert len(reasons("".join(f"kubelet: error number {n}\n" for n in range(99)))) == 4


@pytest.mark.parametrize(("said", "words"), [
    (reasons(TEXT), "swapoff -a"), (["etcd: No space left on device"], "make room"),
    (["something else"], ""),
])  # fmt: skip
def test_known_errors_have_a_cure(said: list[str], words: str) -> None:
    assert words in cure(said) and bool(words) == bool(cure(said))


def test_what_keeps_kubeadm_waiting_is_news_once() -> None:
    news, swap = News(), "kubelet: E1129 12:00:00.1 1 a.go:1] running with swap on\n"
    ended = "etcd: cannot listen\n"
    assert news.of(swap + ended) == []
    assert news.of(swap + ended) == ["kubelet: running with swap on", "etcd: cannot listen"]
    assert news.of(swap + swap + ended) == []
    assert News().of(ended * 2) == ["etcd: cannot listen"]


def test_what_every_kubelet_says_at_first_is_no_news() -> None:
    news = News()
    usual = 'kubelet: E1129 12:00:00.1 1 a.go:1] node "infra1" not found\n' * 20
    odd = 'kubelet: E1129 12:00:00.1 1 a.go:1] "Error syncing pod"\n' * 20
    looks = [news.of(usual + odd) for _ in range(5)]
    assert looks == [[], [], [], ['kubelet: "Error syncing pod"'], []]


def test_reasons_are_said_while_kubeadm_still_runs(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They came after four minutes, when it had given up."""
    world, twice = make(), threading.Event()
    fake, node = world.fakes["infra01"], world.cluster.first

    def answer(command: str, stdin: bytes) -> Result | None:
        if not runs(command, module._READ):
            return None
        if len(fake.asked) > 2:
            twice.set()
        return Result(0, b"kubelet: running with swap on\n")

    fake.rules = [answer]
    monkeypatch.setattr(module, "PAUSE", 0.01)
    with watched(node):
        assert twice.wait(60)
    told = capsys.readouterr().err
    assert told.count("still waiting: kubelet: running with swap on (on the node: swapoff -a") == 1


def test_containers_whose_logs_cannot_be_had_say_nothing(tmp_path: Path) -> None:
    """A crictl that cannot do it printed its usage, which was taken for a container's words."""
    answers = """case $1 in
    ps) printf 'good\nbad\n' ;; inspect) echo etcd ;;
    logs) [ "$4" = good ] && echo it cannot listen || { echo usage: crictl >&2; exit 1; } ;;
    esac"""
    for name, body in (("crictl", answers), ("journalctl", "true")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    said = Local().run(f"PATH={tmp_path}:$PATH; export PATH; {script(module._READ)}")
    assert said.text == "etcd: it cannot listen"


def test_a_join_says_why_while_it_waits_and_when_it_fails(
    make: Make, ca: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It said: docker logs CONTAINERID, run the same line again."""
    world, looks, said_twice = make(), list[str](), threading.Event()
    Nodes(world, ca, {"infra01": "10.244.0.0/24", "worker02": "10.244.2.0/24"})

    def answer(command: str, stdin: bytes) -> Result | None:
        if runs(command, module._READ):
            looks.append(command)
            if len(looks) > 3:
                said_twice.set()
            return Result(0, b"kubelet: running with swap on\netcd: cannot listen\n")
        if not runs(command, RUN):
            return None
        assert said_twice.wait(60)
        return Result(1, b"", b"timed out waiting for the condition")

    world.fakes["worker01"].rules.insert(0, answer)
    monkeypatch.setattr(module, "PAUSE", 0.01)
    with pytest.raises(DeployError) as caught:
        join.join(world.cluster, world.cluster.nodes)
    for words in ("timed out", "its last errors:", "running with swap on", "etcd: cannot listen"):
        assert words in caught.value.message
    assert "swapoff -a" in f"{caught.value.message} {caught.value.cure}"
    assert "still waiting: kubelet: running with swap on" in capsys.readouterr().err
