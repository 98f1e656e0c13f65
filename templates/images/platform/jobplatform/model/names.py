"""What Kubernetes calls things of ours: names that everybody who looks for them can work out."""

from __future__ import annotations

import hashlib
import re


def namespace(vc: str) -> str:
    """A namespace of its own for each virtual cluster, whatever it is called."""
    if re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?", vc):
        return f"vc-{vc}"
    words = re.sub(r"[^a-z0-9]+", "-", vc.lower()).strip("-")[:40]
    return f"vc-{words}-{hashlib.sha256(vc.encode()).hexdigest()[:8]}".replace("--", "-")


def attempt(job: str, number: int) -> str:
    return f"job-{job}-{number}"


def worker(job: str, number: int, index: int) -> str:
    """The pod of a worker in an attempt."""
    return f"{attempt(job, number)}-worker-{index}"
