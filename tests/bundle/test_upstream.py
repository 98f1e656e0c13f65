from __future__ import annotations

import pytest

from dlws.bundle import upstream
from dlws.core.version import Version


def test_addresses_of_programs() -> None:
    assert (
        upstream.program_url(Version(30, 4), "arm64", "kubelet")
        == "https://dl.k8s.io/release/v1.30.4/bin/linux/arm64/kubelet"
    )


@pytest.mark.parametrize(("version", "tag"), [("1.20.2", "v1.20.0"), ("1.36.0", "v1.33.0")])
def test_crictl_follows_the_minor_version_as_far_as_it_goes(version: str, tag: str) -> None:
    url = upstream.crictl_url(Version.parse(version), "amd64")
    assert url.endswith(f"/{tag}/crictl-{tag}-linux-amd64.tar.gz")
