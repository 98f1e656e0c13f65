"""What images of other registries are called in ours."""

from __future__ import annotations

import pytest

from dlws.config.registry import OurRegistry
from dlws.registry.mirror import ours

OURS = OurRegistry("infra01", ("10.1.0.1",), 5443, "/data/registry")


@pytest.mark.parametrize(("image", "expected"), [
    ("docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27"),
    ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
    ("images.example:8443/team/app:1", "images.example/team/app:1"),
    ("[fd00::1]:8443/app:1", "fd00--1/app:1"),
    (f"quay.io/x:1@sha256:{'a' * 64}", "quay.io/x:1"),
    (f"quay.io/x@sha256:{'a' * 64}", f"quay.io/x:{'a' * 12}"),
])  # fmt: skip
def test_names(image: str, expected: str) -> None:
    assert ours(image, OURS) == f"10.1.0.1:5443/{expected}"
