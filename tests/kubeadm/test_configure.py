"""Taking up in a running cluster what config.yaml says now."""

from __future__ import annotations

import pytest
import yaml

from dlws.core.connection import Result
from dlws.core.errors import DeployError, EndOfPlan
from dlws.kubeadm import configure, controlplane, encryption
from dlws.shell.quoting import sh
from tests.support.commands import read, runs, template
from tests.support.fakes import THREE, Make, World
from tests.support.kubeadm import RUN, STATE, Nodes

MEMBERS = {"infra01": "10.244.0.0/24", "infra02": "10.244.1.0/24", "infra03": "10.244.2.0/24"}
BEGUN = sh("test", "-e", configure._BEGUN)
AWAIT = template("kubernetes/await.sh")
KEY = controlplane.encoded(controlplane.encryption("a2V5"))


def running(
    make: Make, ca: bytes, text: str = THREE, key: bytes = b"", dry_run: bool = False
) -> World:
    world = make(text, dry_run=dry_run)
    Nodes(world, ca, dict(MEMBERS))
    for fake in world.fakes.values():
        fake.rules.insert(0, lambda c, _: Result(0, key) if runs(c, encryption.READ) else None)
        fake.rules.insert(0, lambda c, _: Result(1) if runs(c, BEGUN) else None)
    return world


def phases(world: World, name: str) -> list[tuple[str, dict[str, object]]]:
    """The phases of kubeadm that a node ran, each with the API server's arguments it was given."""
    found = []
    for command, stdin in world.fakes[name].asked:
        if runs(command, RUN):
            given = {one["kind"]: one for one in yaml.safe_load_all(stdin)}
            arguments = given["ClusterConfiguration"]["apiServer"]["extraArgs"]
            found.append((" ".join(read(command)[1][4:]), arguments))
    return found


def test_the_control_plane_of_the_nodes_that_differ(make: Make, ca: bytes) -> None:
    world = running(make, ca)
    configure.control_plane(world.cluster, world.cluster.select(["infra02"]))
    assert [phase for phase, _ in phases(world, "infra02")] == ["control-plane all"]
    assert world.ran("infra02", AWAIT) and not world.ran("infra03", AWAIT)
    assert [phase for phase, _ in phases(world, "infra01")] == ["upload-config kubeadm"]


def test_a_cluster_that_keeps_secrets_plain_goes_on_so(make: Make, ca: bytes) -> None:
    world = running(make, ca)
    configure.control_plane(world.cluster, world.cluster.infra)
    given = [arguments for name in MEMBERS for _, arguments in phases(world, name)]
    assert given and not any(controlplane.ENCRYPTION_FLAG in arguments for arguments in given)
    assert not encryption.path(world.cluster).exists()


def test_a_cluster_that_seals_goes_on_so(make: Make, ca: bytes) -> None:
    world = running(make, ca, THREE.replace("bridge}", "bridge, encrypt_secrets: false}"), KEY)
    configure.control_plane(world.cluster, world.cluster.infra)
    given = [arguments for name in MEMBERS for _, arguments in phases(world, name)]
    assert all(controlplane.ENCRYPTION_FLAG in arguments for arguments in given)


def test_kubelets(make: Make, ca: bytes) -> None:
    world = running(make, ca)
    configure.kubelets(world.cluster, world.cluster.select(["worker01", "infra01"]))
    assert [phase for phase, _ in phases(world, "infra01")] == ["upload-config kubelet"]
    restarted = [name for name in world.fakes if world.ran(name, configure._KUBELET)]
    assert restarted == ["infra01", "worker01"]


def placed(world: World, name: str) -> list[bool]:
    """For each EncryptionConfiguration that a node was sent, whether it seals."""
    sent = [stdin for _, stdin in world.fakes[name].asked if b"EncryptionConfiguration" in stdin]
    return [stdin.index(b"secretbox") < stdin.index(b"identity") for stdin in sent]


def test_all_can_read_what_is_sealed_before_the_first_one_seals(make: Make, ca: bytes) -> None:
    world = running(make, ca)
    order: list[tuple[str, bool]] = []
    for name in MEMBERS:

        def note(command: str, stdin: bytes, name: str = name) -> None:
            if b"EncryptionConfiguration" in stdin:
                order.append((name, stdin.index(b"secretbox") < stdin.index(b"identity")))

        world.fakes[name].rules.insert(0, note)
    configure.seal(world.cluster)
    assert order == [(name, seals) for seals in (False, True) for name in MEMBERS]
    last = world.commands("infra01")[-1]
    assert runs(last, f"{configure._REWRITE} && rm {configure._BEGUN}")
    assert encryption.kept(world.cluster)
    assert placed(world, "worker01") == []


def test_a_plan_ends_where_the_key_is_to_be_made(make: Make, ca: bytes) -> None:
    world = running(make, ca, dry_run=True)
    with pytest.raises(EndOfPlan, match="unknown until the key is made"):
        configure.seal(world.cluster)
    assert not encryption.path(world.cluster).exists()


def test_a_plan_with_a_key_that_is_there_has_every_write(make: Make, ca: bytes) -> None:
    world = running(make, ca, dry_run=True)
    world.cluster.run.vault.write(encryption.path(world.cluster), KEY)
    configure.seal(world.cluster)
    writes = [a for a in world.cluster.run.gate.actions if a.place == controlplane.ENCRYPTION]
    assert [action.node for action in writes] == 2 * list(MEMBERS)
    assert len({action.digest for action in writes}) == 2 and not any(a.maybe for a in writes)


def test_it_is_done_once(make: Make, ca: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    world = running(make, ca, key=KEY)
    configure.seal(world.cluster)
    assert "nothing to do" in capsys.readouterr().err
    assert not any(world.ran(name, RUN) for name in world.fakes)


def test_what_was_begun_is_gone_on_with(make: Make, ca: bytes) -> None:
    world = running(make, ca, key=encryption.reading_only(KEY))
    world.cluster.run.vault.write(encryption.path(world.cluster), KEY)
    world.fakes["infra01"].rules.insert(0, lambda c, _: Result(0) if runs(c, BEGUN) else None)
    configure.seal(world.cluster)
    assert placed(world, "infra03") == [False, True]
    assert encryption.kept(world.cluster) == KEY


def test_not_where_config_yaml_says_no(make: Make, ca: bytes) -> None:
    world = running(make, ca, THREE.replace("bridge}", "bridge, encrypt_secrets: false}"))
    with pytest.raises(DeployError, match="encrypt_secrets: false"):
        configure.seal(world.cluster)
    assert not encryption.path(world.cluster).exists()


def test_not_while_an_infra_node_is_away(make: Make, ca: bytes) -> None:
    world = running(make, ca)

    def fail(command: str, _: bytes) -> Result | None:
        return Result(1, b"", b"gone") if runs(command, STATE) else None

    world.fakes["infra03"].rules.insert(0, fail)
    with pytest.raises(DeployError, match="infra03: every API server needs the key"):
        configure.seal(world.cluster)
    assert not any(world.ran(name, RUN) for name in world.fakes)
