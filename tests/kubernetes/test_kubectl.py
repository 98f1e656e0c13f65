"""kubectl as typed, and the ways to an API server."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.core.localfiles import write
from dlws.core.terminal_text import Guarded
from dlws.kubernetes import kubeconfig, kubectl
from dlws.kubernetes import tunnel as reach
from dlws.secrets.vault import Vault
from tests.support.fakes import THREE, Make
from tests.support.farm.faults import ESCAPES
from tests.support.kubeconfigs import ADMIN, CREDENTIALS, ON_NODE
from tests.support.terminals import is_safe


def put_kubectl(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_clusters_own_kubectl_comes_first(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = make().cluster
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    bundled = put_kubectl(cluster.directory / "deploy/bundle/amd64/bin/kubectl")
    assert kubectl.program(cluster) == bundled
    own = put_kubectl(cluster.deploy / "bin/kubectl")
    assert kubectl.program(cluster) == own


def test_kubectl_runs_in_our_place_with_words_as_typed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make().cluster
    write(kubeconfig.path(cluster), kubeconfig.dump(ADMIN))
    own = put_kubectl(cluster.deploy / "bin/kubectl")
    asked: list[Any] = []
    monkeypatch.setattr(reach, "direct", lambda _: "https://10.1.0.1:6443")
    monkeypatch.setattr(kubectl, "_on_node", lambda cluster, words: 0)
    monkeypatch.setattr(os, "execve", lambda *words: asked.append(words))
    words = ["get", "pods", "-o", "jsonpath={.items[*]['a b']}", "$(x)", "--", "-v"]
    kubectl.run(cluster, words)
    path, argv, environment = asked[0]
    assert (path, argv) == (own, ["kubectl", *words])
    assert environment["KUBECONFIG"] == str(kubeconfig.path(cluster))


def test_kubectl_is_given_nothing_but_what_was_built(make: Make) -> None:
    """Another reader of YAML may find in a file what ours does not."""
    cluster = make().cluster
    twice = ON_NODE.replace(
        b"users:\n", b"users:\n- name: x\n  user: {exec: {command: x}}\nusers:\n"
    )
    write(kubeconfig.path(cluster), twice)
    path = Path(kubectl.environment(cluster, "https://10.1.0.1:6443")["KUBECONFIG"])
    assert path.read_bytes() == kubeconfig.dump(ADMIN)


def test_another_live_master_is_asked_through_a_private_copy(make: Make) -> None:
    cluster = make(THREE).cluster
    write(kubeconfig.path(cluster), kubeconfig.dump(ADMIN))
    path = Path(kubectl.environment(cluster, "https://10.1.0.2:6443")["KUBECONFIG"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"].endswith(".2:6443")
    assert yaml.safe_load(kubeconfig.path(cluster).read_text()) == ADMIN


@pytest.mark.parametrize(("before", "after"), [
    ({}, "10.1.0.1"), ({"no_proxy": ".corp"}, ".corp,10.1.0.1"), ({"NO_PROXY": "a"}, "a,10.1.0.1"),
])  # fmt: skip
def test_a_proxy_of_the_devbox_is_not_for_the_cluster(
    make: Make, monkeypatch: pytest.MonkeyPatch, before: dict[str, str], after: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HTTPS_PROXY": "http://127.0.0.1:1", **before}.items():
        monkeypatch.setenv(name, value)
    cluster = make().cluster
    write(kubeconfig.path(cluster), kubeconfig.dump(ADMIN))
    found = kubectl.environment(cluster, "https://10.1.0.1:6443")
    assert found["NO_PROXY"] == found["no_proxy"] == after


def test_an_encrypted_kubeconfig_is_given_to_kubectl_in_memory(make: Make) -> None:
    cluster = make(THREE).cluster
    cluster.run.vault = Vault(cluster.directory, lambda: "passphrase")
    cluster.run.vault.enable()
    cluster.run.vault.write(kubeconfig.path(cluster), kubeconfig.dump(ADMIN))
    before = sorted(cluster.directory.rglob("*"))
    environment = kubectl.environment(cluster, "https://10.1.0.2:6443")
    # As kubectl does after execve: it opens the path anew, and may start a plugin that does.
    show = 'cat "$KUBECONFIG" && sh -c \'cat "$KUBECONFIG"\' | cmp - "$KUBECONFIG"'
    done = subprocess.run(
        ["sh", "-c", show], env=environment, close_fds=False, capture_output=True, check=True
    )
    assert yaml.safe_load(done.stdout) == CREDENTIALS.kubeconfig("atlas", "https://10.1.0.2:6443")
    assert sorted(cluster.directory.rglob("*")) == before


def test_without_a_way_from_here_it_runs_on_an_infra_node(
    make: Make, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    world = make(THREE)

    def dead(command: str, stdin: bytes) -> Result:
        raise DeployError("does not answer")

    monkeypatch.setattr(kubectl, "program", lambda _: None)
    world.fakes["infra01"].rules.append(dead)
    world.fakes["infra02"].rules.append(lambda c, s: Result(3) if "get pods" in c else None)
    assert kubectl.run(world.cluster, ["get", "pods", "a b; $(x)"]) == 3
    assert world.commands("infra02")[-1].count("a b; $(x)") == 1
    assert not world.commands("infra03")


def test_no_way_at_all_names_every_reason(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make()

    def dead(command: str, stdin: bytes) -> Result:
        raise DeployError("refuses connections")

    monkeypatch.setattr(kubectl, "program", lambda _: None)
    world.fakes["infra01"].rules.append(dead)
    with pytest.raises(DeployError, match="infra01: refuses connections"):
        kubectl.run(world.cluster, ["get", "pods"])


def test_a_dry_run_only_shows_the_line(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    world = make(dry_run=True)
    assert kubectl.run(world.cluster, ["delete", "pod", "a b"]) == 0
    assert "would run: kubectl delete pod 'a b'" in capsys.readouterr().err
    assert not world.commands("infra01")


@pytest.mark.parametrize(
    ("words", "reads"),
    [
        (["apply", "-f", "-"], True),
        (["apply", "--filename=-"], True),
        (["exec", "-it", "pod", "--", "sh"], True),
        (["get", "pods"], False),
        (["get", "-o", "name"], False),
    ],
)
def test_when_kubectl_reads_standard_input(words: list[str], reads: bool) -> None:
    assert kubectl.reads_stdin(words) is reads


@pytest.mark.parametrize(
    ("words", "shows"),
    [
        (["logs", "-f", "pod"], True),
        (["-n", "exec", "get", "pods"], True),
        (["--namespace=x", "describe", "pod"], True),
        (["exec", "pod", "--", "ls", "-t"], True),
        (["exec", "-it", "pod", "--", "sh"], False),
        (["exec", "-t", "pod", "--", "top"], False),
        (["edit", "cm", "x"], False),
        (["-n", "get"], False),
        (["plugin-of-mine", "get"], False),
        ([], False),
    ],
)
def test_when_kubectl_needs_no_terminal(words: list[str], shows: bool) -> None:
    assert kubectl.only_shows(words) is shows


def test_what_a_pod_printed_does_not_touch_the_terminal(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = make().cluster
    write(kubeconfig.path(cluster), kubeconfig.dump(ADMIN))
    (tmp_path / "noise").write_bytes(ESCAPES)
    own = put_kubectl(cluster.deploy / "bin/kubectl")
    own.write_text(f'#!/bin/sh\ncat {tmp_path}/noise; echo "$KUBECONFIG $*" >&2; exit 3\n')
    monkeypatch.setattr(reach, "direct", lambda _: "https://10.1.0.1:6443")
    out, err = Screen(), Screen()
    monkeypatch.setattr("sys.stdout", Guarded(out))
    monkeypatch.setattr("sys.stderr", Guarded(err))
    assert kubectl.run(cluster, ["logs", "a b"]) == 3
    assert is_safe(out.getvalue()) and "^[]52;c;aGk=^G" in out.getvalue()
    assert err.getvalue() == f"{kubeconfig.path(cluster)} logs a b\n"
    replaced: list[object] = []
    monkeypatch.setattr(os, "execve", lambda *words: replaced.append(words))
    monkeypatch.setattr(kubectl, "_on_node", lambda cluster, words: 0)
    kubectl.run(cluster, ["exec", "-it", "pod", "--", "sh"])
    assert replaced


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True
