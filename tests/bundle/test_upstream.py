from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dlws.bundle import download, registry, upstream
from dlws.core.errors import DeployError
from dlws.core.version import Version

SHA = hashlib.sha256(b"content").hexdigest()


def test_addresses_of_programs() -> None:
    assert (
        upstream.program_url(Version(30, 4), "arm64", "kubelet")
        == "https://dl.k8s.io/release/v1.30.4/bin/linux/arm64/kubelet"
    )


@pytest.mark.parametrize(("version", "tag"), [("1.20.2", "v1.20.0"), ("1.36.0", "v1.33.0")])
def test_crictl_follows_the_minor_version_as_far_as_it_goes(version: str, tag: str) -> None:
    url = upstream.crictl_url(Version.parse(version), "amd64")
    assert url.endswith(f"/{tag}/crictl-{tag}-linux-amd64.tar.gz")


@pytest.mark.parametrize("text", [SHA, f"{SHA}\n", f"{SHA}  cni.tgz\n"])
def test_published_hashes_come_with_and_without_a_name(text: str) -> None:
    assert download.published(text) == SHA


@pytest.mark.parametrize("text", ["", "<html>not found</html>", SHA[:40]])
def test_what_is_no_hash_is_an_error(text: str) -> None:
    with pytest.raises(DeployError):
        download.published(text)


def test_a_download_is_compared_with_its_published_hash(tmp_path: Path) -> None:
    url = (tmp_path / "kubelet").as_uri()
    (tmp_path / "kubelet").write_bytes(b"content")
    (tmp_path / "kubelet.sha256").write_text(SHA)
    download.fetch_checked(url, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"content"
    (tmp_path / "kubelet").write_bytes(b"evil")
    with pytest.raises(DeployError, match="its publisher says"):
        download.fetch_checked(url, tmp_path / "out")


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
