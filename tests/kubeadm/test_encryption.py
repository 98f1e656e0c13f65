"""The key with which Secrets are sealed: made once, kept here, the same everywhere."""

from __future__ import annotations

import base64

import pytest
import yaml

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.kubeadm import controlplane, encryption, join
from dlws.kubernetes import started
from tests.support.commands import runs
from tests.support.fakes import CONFIG, THREE, Make, World
from tests.support.kubeadm import Nodes

OTHER = controlplane.encoded(controlplane.encryption("b3RoZXI="))


def has(world: World, name: str, content: bytes) -> None:
    """Let a node have this as its EncryptionConfiguration."""
    answer(world, name, content)


def answer(world: World, name: str, text: bytes) -> None:
    """Let a node answer this when it is asked for its EncryptionConfiguration."""
    world.fakes[name].rules.insert(
        0, lambda command, _: Result(0, text) if runs(command, encryption.READ) else None
    )


def given(world: World, name: str) -> bytes:
    """All that a node was sent."""
    return b"".join(stdin for _, stdin in world.fakes[name].asked)


def test_a_new_cluster_has_a_key_of_32_bytes_for_its_owner_alone(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca)
    join.init(world.cluster)
    path = encryption.path(world.cluster)
    assert path.stat().st_mode & 0o777 == 0o600
    provider = yaml.safe_load(path.read_text())["resources"][0]["providers"][0]
    assert len(base64.b64decode(provider["secretbox"]["keys"][0]["secret"])) == 32
    assert path.read_bytes() in given(world, "infra01")


def test_the_key_is_on_no_command_line_and_no_worker_gets_it(
    make: Make, ca: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    world = make(verbose=True)
    Nodes(world, ca)
    join.init(world.cluster)
    join.join(world.cluster, world.cluster.nodes)
    key = yaml.safe_load(encryption.kept(world.cluster))["resources"][0]["providers"][0]
    secret = key["secretbox"]["keys"][0]["secret"]
    lines = "\n".join(command for fake in world.fakes.values() for command, _ in fake.asked)
    assert secret not in lines + "".join(capfd.readouterr())
    assert secret.encode() not in given(world, "worker01") + given(world, "worker02")


def test_a_key_that_is_there_is_used_again(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca)
    world.cluster.run.vault.write(encryption.path(world.cluster), OTHER)
    join.init(world.cluster)
    assert encryption.kept(world.cluster) == OTHER and OTHER in given(world, "infra01")


def test_without_encryption_no_key_is_made(make: Make, ca: bytes) -> None:
    world = make(CONFIG.replace("bridge}", "bridge, encrypt_secrets: false}"))
    Nodes(world, ca)
    join.init(world.cluster)
    assert not encryption.path(world.cluster).exists()
    assert b"EncryptionConfiguration" not in given(world, "infra01")


def test_a_dry_run_makes_no_key_and_tells_of_it(make: Make) -> None:
    world = make(dry_run=True)
    assert encryption.make(world.cluster, world.cluster.first) == b""
    assert not encryption.path(world.cluster).exists()
    told = [(action.node, action.place) for action in world.cluster.run.gate.actions]
    assert ("infra01", controlplane.ENCRYPTION) in told


def test_an_infra_node_that_joins_gets_what_the_cluster_has(make: Make, ca: bytes) -> None:
    world = make(THREE)
    Nodes(world, ca, {"infra01": "10.244.0.0/24", "infra02": "10.244.1.0/24"})
    has(world, "infra01", OTHER)
    join.init(world.cluster)
    assert OTHER in given(world, "infra03")
    assert encryption.kept(world.cluster) == OTHER  # this devbox had not made the cluster


def test_a_cluster_without_a_key_stays_without(make: Make, ca: bytes) -> None:
    world = make(THREE)
    Nodes(world, ca, {"infra01": "10.244.0.0/24", "infra02": "10.244.1.0/24"})
    has(world, "infra01", b"")
    join.init(world.cluster)
    assert b"EncryptionConfiguration" not in given(world, "infra03")
    assert not encryption.path(world.cluster).exists()


@pytest.mark.parametrize("first", [b"", OTHER])
def test_an_infra_node_alone_is_not_believed(make: Make, first: bytes) -> None:
    world = make(THREE)
    has(world, "infra01", first)
    has(world, "infra02", b"")  # such as one that has not joined yet
    has(world, "infra03", controlplane.encoded(controlplane.encryption("dGhpcmQ=")))
    with pytest.raises(DeployError, match="infra01 and infra03 have different") as caught:
        encryption.of(world.cluster, world.cluster.first)
    assert "encryption.yaml" in caught.value.cure
    assert not encryption.path(world.cluster).exists()


def test_two_keys_for_one_cluster_are_refused(make: Make) -> None:
    world = make()
    world.cluster.run.vault.write(encryption.path(world.cluster), OTHER)
    has(world, "infra01", OTHER.replace(b"key1", b"key2"))
    with pytest.raises(DeployError, match="infra01 has another") as caught:
        encryption.of(world.cluster, world.cluster.first)
    assert "move" in caught.value.cure


@pytest.mark.parametrize(
    "content",
    [
        b"[",
        b"kind: Pod",
        b"- a",
        b"x" * started.LIMIT,
        b"[" * 5000,
        b"\xff\x00",
        b"kind: EncryptionConfiguration",
        b"{kind: EncryptionConfiguration, resources: 1}",
        b"{kind: EncryptionConfiguration, resources: [{providers: x}]}",
        b"{kind: EncryptionConfiguration, resources: [{providers: [x]}]}",
    ],
)
def test_what_is_no_key_is_not_passed_on(make: Make, content: bytes) -> None:
    world = make()
    has(world, "infra01", content)
    with pytest.raises(DeployError, match="is no EncryptionConfiguration"):
        encryption.of(world.cluster, world.cluster.first)
    assert not encryption.path(world.cluster).exists()


def test_an_answer_that_is_no_file(make: Make) -> None:
    world = make()
    answer(world, "infra01", b"abc\n")
    with pytest.raises(DeployError, match="is no EncryptionConfiguration"):
        encryption.of(world.cluster, world.cluster.first)


def test_an_api_server_that_only_reads_what_is_sealed() -> None:
    (rule,) = yaml.safe_load(encryption.reading_only(OTHER))["resources"]
    assert [next(iter(way)) for way in rule["providers"]] == ["identity", "secretbox"]
    assert encryption.reading_only(b"") == b""
