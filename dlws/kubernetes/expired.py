"""Certificates of a cluster that have expired: how that is told from other silences."""

from __future__ import annotations

import re

from dlws.core.program import PROGRAM

_SAYS = re.compile(r"certificate (has|is) expired|expired certificate", re.IGNORECASE)


def renewal() -> str:
    """What to do; nothing of the cluster is lost, and no reset is needed."""
    return (
        "is its clock right (date)? then on each infra node, as root: kubeadm certs renew all "
        "(before Kubernetes 1.20: kubeadm alpha certs renew all), and restart its control plane "
        f"(docs/kubernetes.md); then here: {PROGRAM} kubeadm init, which fetches the new admin.conf"
    )


def has_expired(says: str) -> bool:
    """Whether somebody says that a certificate is past its date."""
    return _SAYS.search(says) is not None
