from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from dlws.bundle import registry
from dlws.bundle.build import Workspace
from dlws.core.errors import DeployError
from tests.support.https import Site
from tests.support.images import Image

A, B, W = (f"sha256:{letter * 64}" for letter in "abc")


def test_an_image_is_pulled_by_its_pinned_digest(workspace: Workspace, site: Site) -> None:
    image, out = Image(site), workspace.cache / "pause.tar"
    pinned = image.index
    assert registry.tagged(workspace, image.name) == pinned
    image.tag(image.config, image.blob(b"evil"))  # the tag has moved since
    registry.pull(workspace, image.name, "amd64", out, pinned)
    with tarfile.open(out) as tar:
        assert f"{image.layer.removeprefix('sha256:')}.tar.gz" in tar.getnames()
    site.content[f"/v2/lib/pause/manifests/{pinned}"] += b" "
    with pytest.raises(DeployError, match="is not what its digest says"):
        registry.pull(workspace, image.name, "amd64", out, pinned)


@pytest.mark.parametrize("which", ["config", "layer"])
@pytest.mark.parametrize("name", [
    "{}/absolute", "../../../outside", "sha256:../../../outside", "sha256:" + "A" * 64,
    "sha512:" + "a" * 128, "", 7, None, ["x"], "sha256:" + "a" * 64 + "\n",
])  # fmt: skip
def test_a_digest_that_is_none_names_no_file(
    workspace: Workspace, site: Site, tmp_path: Path, which: str, name: object
) -> None:
    image = Image(site)
    bad = name.format(tmp_path) if isinstance(name, str) else name
    image.tag(*((bad, image.layer) if which == "config" else (image.config, bad)))
    site.content[f"/v2/lib/pause/blobs/{bad}"] = b"evil"
    with pytest.raises(DeployError, match="no sha256 digest"):
        registry.pull(workspace, image.name, "amd64", workspace.cache / "pause.tar", "")
    files = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert not files & {"absolute", "outside", "pause.tar"}


@pytest.mark.parametrize("text", ["", "[]", "null", "<html>", "[" * 99999, '{"layers": 1}'])
def test_an_answer_that_is_no_manifest_is_an_error(
    workspace: Workspace, site: Site, text: str
) -> None:
    site.content["/v2/lib/pause/manifests/3.2"] = text.encode()
    with pytest.raises(DeployError, match="makes no sense"):
        registry.pull(workspace, f"{site.address}/lib/pause:3.2", "amd64", Path("/x"), "")


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
            {"digest": A, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": W, "platform": {"os": "windows", "architecture": "arm64"}},
            {"digest": B, "platform": {"os": "linux", "architecture": "arm64"}},
            {"platform": "odd"},
        ]
    }
    assert registry.choose(index, "arm64") == B
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
