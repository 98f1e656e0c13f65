from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import cast

import pytest

from dlws.bundle import delivery
from dlws.core import resources
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


def checked(place: Path) -> None:
    """Write what install_kubeadm.sh writes when it has found every hash right."""
    words = '. "$1" && bundle_state "$2" >"$2.checked"'
    line = ["sh", "-c", words, "sh", str(resources.scripts() / "lib/bundle.sh"), str(place)]
    subprocess.run(line, check=True)


def test_what_was_found_right_on_the_node_is_not_hashed_again(bundle: Path, place: Path) -> None:
    push(FakeNode(), bundle)
    checked(place)
    again = FakeNode()
    assert push(again, bundle) == [] and len(again.asked) == 2


@pytest.mark.parametrize("change", [
    'printf tampered >"$1/cni/bridge"', 'chmod 600 "$1/cni/bridge"', 'touch "$1/bin/b"',
    'mv "$1/cni/bridge" "$1/b"', 'cp -p "$1/cni/bridge" "$1/b" && mv "$1/b" "$1/cni/bridge"',
    'rm "$1.checked"', ': >"$1.checked"', 'rm "$1/SHA256SUMS"',
])  # fmt: skip
def test_what_changed_since_it_was_found_right_is_looked_at(
    bundle: Path, place: Path, change: str
) -> None:
    push(FakeNode(), bundle)
    checked(place)
    subprocess.run(["sh", "-c", change, "sh", str(place)], check=True)
    again = FakeNode()
    push(again, bundle)
    assert len(again.asked) > 2
    assert (place / "cni/bridge").read_bytes() == b"bridge" and not (place / "bin/b").exists()


def test_a_dry_run_says_what_it_would_send(bundle: Path, place: Path) -> None:
    node = FakeNode()
    node.dry_run = True
    assert "bin/kubelet" in push(node, bundle)
