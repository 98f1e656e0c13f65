"""What lets nodes in, how that ends, and its scripts beside programs of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core import resources
from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError
from dlws.kubeadm import admission
from dlws.shell.quoting import script
from tests.support.fakes import Make, World


def stub(directory: Path, name: str, body: str) -> None:
    """A program that keeps the words it was called with, and does this."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >>{directory}/asked\n{body}\n')
    path.chmod(0o755)


def asked(directory: Path) -> list[str]:
    path = directory / "asked"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(("masters", "owner", "deleted"), [
    (0, "bootstrap-token-zzzzzz", "bootstrap-token-abcdef"),
    (1, "bootstrap-token-zzzzzz", "bootstrap-token-abcdef bootstrap-token-zzzzzz kubeadm-certs"),
    (1, "", "bootstrap-token-abcdef kubeadm-certs"),
    (1, "clusterinfo --all", "bootstrap-token-abcdef kubeadm-certs"),
])  # fmt: skip
def test_what_is_deleted(tmp_path: Path, masters: int, owner: str, deleted: str) -> None:
    stub(tmp_path / "bin", "kubectl", f"case \"$*\" in *' get '*) echo '{owner}' ;; esac")
    line = f"PATH={tmp_path}/bin:$PATH; export PATH; {script(admission._WITHDRAW, masters)}"
    assert Local().run(line, b"abcdef\n").ok
    own = "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system"
    last = asked(tmp_path / "bin")[-1]
    assert last == f"{own} delete secret --ignore-not-found {deleted}"


@pytest.mark.parametrize(("there", "says"), [
    ((), "no join was begun here"),
    (("etc/kubernetes/manifests/kube-apiserver.yaml",), "holds a control plane"),
    (("var/lib/etcd/member/snap", "var/lib/dlws/kubeadm/join-started"), "holds a control plane"),
])  # fmt: skip
def test_the_node_itself_refuses_a_reset(tmp_path: Path, there: tuple[str, ...], says: str) -> None:
    result = joined(tmp_path, *there)
    assert result.code == 1 and says in result.complaint
    assert asked(tmp_path / "bin") == []


def test_a_node_whose_join_stopped_half_way_is_reset(tmp_path: Path) -> None:
    assert joined(tmp_path, "var/lib/dlws/kubeadm/join-started").ok
    assert [line.split()[1] for line in asked(tmp_path / "bin")] == ["reset", "join"]


def test_only_what_has_passed_its_checks_is_begun(tmp_path: Path) -> None:
    """A listener that was in the way was ignored as a leftover by the repeat."""
    stamp = tmp_path / "var/lib/dlws/kubeadm/init-started"
    failed = ran(tmp_path, "init", "", "init", program='[ "$3" != preflight ]')
    assert not failed.ok and not stamp.exists()
    failed = ran(tmp_path, "init", "", "init", program='[ "$3" = preflight ]')
    assert not failed.ok and stamp.exists()
    assert ran(tmp_path, "init", "", "init", "--ignore-preflight-errors=Port-6443").ok
    told = [line.split(" --config")[0] for line in asked(tmp_path / "bin")]
    assert told == [
        "kubeadm init phase preflight",
        "kubeadm init phase preflight",
        "kubeadm init --skip-phases=preflight",
        "kubeadm init --ignore-preflight-errors=Port-6443",
    ]


def test_a_phase_on_a_running_control_plane_is_run_alone(tmp_path: Path) -> None:
    """The checks of init find its ports in use, and etcd's data."""
    assert ran(tmp_path, "upload-certs", "", "init", "phase", "upload-certs").ok
    assert [line.split(" --config")[0] for line in asked(tmp_path / "bin")] == [
        "kubeadm init phase upload-certs"
    ]


@pytest.mark.parametrize(("there", "ignored"), [
    ((), False), (("lost+found/",), True),
    (("lost+found/x",), False), (("lost+found/", "x"), False),
])  # fmt: skip
def test_an_empty_lost_and_found_on_etcds_disk_is_fine(
    tmp_path: Path, there: tuple[str, ...], ignored: bool
) -> None:
    for name in there:
        path = tmp_path / "var/lib/etcd" / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            path.touch()
    assert ran(tmp_path, "init", "", "init").ok
    flag = "--ignore-preflight-errors=DirAvailable--var-lib-etcd"
    assert [flag in line for line in asked(tmp_path / "bin")] == [ignored, ignored]


def joined(root: Path, *there: str) -> Result:
    """kubeadm.sh, told to reset before it joins, on a machine that has these files."""
    for name in there:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return ran(root, "join", "/socket", "join")


def ran(root: Path, *words: str, program: str = "exit 0") -> Result:
    """kubeadm.sh with these words on a machine below `root`."""
    (root / "run").mkdir(exist_ok=True)
    stub(root / "bin", "kubeadm", program)
    text = (resources.templates() / "kubernetes/kubeadm.sh").read_text()
    for place in ("/etc/kubernetes", "/var/lib/", "/run/"):
        text = text.replace(place, f"{root}{place}")
    line = script(text, *words)
    return Local().run(f"PATH={root}/bin:$PATH; export PATH; {line}", b"kind: x\n")


def test_a_ca_that_is_none_stops_before_a_token_is_made(make: Make) -> None:
    world = make()
    with (
        pytest.raises(DeployError, match="is no certificate"),
        admission.admitting(world.cluster, world.cluster.nodes[0], b"x", False),
    ):
        pass
    assert not world.commands("infra01")


def test_an_interrupted_run_leaves_the_token_to_resume(make: Make, ca: bytes) -> None:
    world = make()
    with pytest.raises(KeyboardInterrupt):
        admit(world, ca, KeyboardInterrupt())
    assert len(world.commands("infra01")) == 1
    with pytest.raises(ValueError, match="a defect"):
        admit(world, ca, ValueError("a defect"))
    assert "delete secret" in world.commands("infra01")[-1]


def admit(world: World, ca: bytes, error: BaseException) -> None:
    with admission.admitting(world.cluster, world.cluster.nodes[0], ca, False):
        raise error


def test_a_token_is_two_words() -> None:
    chosen = admission.token()
    assert [len(word) for word in chosen.split(".")] == [6, 16]
