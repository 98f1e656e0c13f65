"""The last errors of kubelets and containers, as people read them."""

from __future__ import annotations

import pytest

from dlws.kubeadm.reasons import cure, reasons

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
