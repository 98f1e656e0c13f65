from __future__ import annotations

import pytest

from dlws.bundle import registry
from dlws.core.errors import DeployError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("k8s.gcr.io/etcd:3.4.13-0", ("k8s.gcr.io", "etcd", "3.4.13-0")),
        ("registry.k8s.io/coredns/coredns:v1", ("registry.k8s.io", "coredns/coredns", "v1")),
        ("localhost:5000/app", ("localhost:5000", "app", "latest")),
        ("flannel/flannel:v1", ("docker.io", "flannel/flannel", "v1")),
        ("nginx", ("docker.io", "library/nginx", "latest")),
    ],
)
def test_image_names_in_parts(name: str, expected: tuple[str, str, str]) -> None:
    found = registry.parse(name)
    assert (found.host, found.repository, found.tag) == expected


def test_the_closed_registry_is_read_at_its_successor() -> None:
    url = registry.parse("k8s.gcr.io/pause:3.2").manifest_url("3.2")
    assert url == "https://registry.k8s.io/v2/pause/manifests/3.2"


def test_the_manifest_of_the_wanted_architecture_is_chosen() -> None:
    index = {
        "manifests": [
            {"digest": "sha256:a", "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": "sha256:w", "platform": {"os": "windows", "architecture": "arm64"}},
            {"digest": "sha256:b", "platform": {"os": "linux", "architecture": "arm64"}},
        ]
    }
    assert registry.choose(index, "arm64") == "sha256:b"
    with pytest.raises(DeployError, match="linux/s390x"):
        registry.choose(index, "s390x")


def test_a_challenge_becomes_the_address_of_a_token() -> None:
    headers = (
        "HTTP/2 401\nWww-Authenticate: Bearer "
        'realm="https://auth.test/token",service="r",scope="repository:a/b:pull"\n'
    )
    assert (
        registry.challenge(headers)
        == "https://auth.test/token?service=r&scope=repository%3Aa%2Fb%3Apull"
    )
    assert registry.challenge("HTTP/2 200\n") == ""
    assert registry.challenge('www-authenticate: Bearer realm="http://plain.test"\n') == ""
