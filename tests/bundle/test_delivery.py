from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from dlws.bundle import delivery
from dlws.core.errors import CheckFailed
from dlws.nodes.node import Node
from tests.support.bundles import CONTENT, FakeNode, write_bundle


def push(node: FakeNode, directory: Path) -> list[str]:
    return delivery.push(cast(Node, node), directory)


BOOKWORM = sorted(path for path in CONTENT if "trixie" not in path)


def test_a_new_node_gets_what_is_for_it(bundle: Path, place: Path) -> None:
    changed = push(FakeNode(), bundle)
    assert sorted(changed) == sorted([*BOOKWORM, "manifest.json", "SHA256SUMS"])
    assert (place / "bin/kubeadm").read_bytes() == b"kubeadm"
    assert (place / "bin/kubeadm").stat().st_mode & 0o777 == 0o755
    assert list(json.loads((place / "manifest.json").read_text())["architectures"]) == ["amd64"]


def test_a_second_push_sends_nothing(bundle: Path, place: Path) -> None:
    push(FakeNode(), bundle)
    again = FakeNode()
    assert push(again, bundle) == [] and again.sent == [] and again.ran == []


def test_only_the_difference_is_sent(bundle: Path, place: Path) -> None:
    push(FakeNode(), bundle)
    write_bundle(bundle, {"bin/kubelet": b"a newer kubelet"})
    assert push(FakeNode(), bundle) == ["bin/kubelet", "manifest.json", "SHA256SUMS"]


def test_what_changed_on_the_node_is_sent_again(bundle: Path, place: Path) -> None:
    push(FakeNode(), bundle)
    (place / "cni/bridge").write_bytes(b"tampered")
    assert push(FakeNode(), bundle) == ["cni/bridge"]


def test_files_of_an_earlier_bundle_are_removed(bundle: Path, place: Path) -> None:
    old = "packages/bookworm/socat_1_$(touch x) '\".deb"
    (place / "packages/bookworm").mkdir(parents=True)
    (place / old).write_bytes(b"")
    assert old in push(FakeNode(), bundle)
    assert not (place / old).exists()


def test_a_wrong_file_here_is_not_sent(bundle: Path, place: Path) -> None:
    (bundle / "amd64/bin/kubelet").write_bytes(b"tampered")
    node = FakeNode()
    with pytest.raises(CheckFailed, match="bin/kubelet"):
        push(node, bundle)
    assert node.sent == []


def test_damage_on_the_way_is_found_on_the_node(bundle: Path, place: Path) -> None:
    node = FakeNode()
    node.spoil = "kubelet"
    with pytest.raises(CheckFailed, match="bin/kubelet: FAILED"):
        push(node, bundle)


def test_a_dry_run_checks_nothing_on_the_node(bundle: Path, place: Path) -> None:
    node = FakeNode()
    node.dry_run, node.spoil = True, "kubelet"
    assert "bin/kubelet" in push(node, bundle)
