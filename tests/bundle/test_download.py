from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dlws.bundle import download
from dlws.core.errors import DeployError
from tests.support.https import Site

SHA = hashlib.sha256(b"content").hexdigest()


@pytest.mark.parametrize("text", [SHA, f"{SHA}\n", f"{SHA}  cni.tgz\n"])
def test_published_hashes_come_with_and_without_a_name(text: str) -> None:
    assert download.published(text) == SHA


@pytest.mark.parametrize("text", ["", "<html>not found</html>", SHA[:40]])
def test_what_is_no_hash_is_an_error(text: str) -> None:
    with pytest.raises(DeployError):
        download.published(text)


def test_a_download_is_compared_with_its_hash(site: Site, tmp_path: Path) -> None:
    url = f"{site.url}/kubelet"
    site.content["/kubelet"] = b"content"
    download.fetch_checked(url, tmp_path / "out", SHA)
    assert (tmp_path / "out").read_bytes() == b"content"
    site.content["/kubelet"] = b"evil"
    with pytest.raises(DeployError, match=f"and not {SHA}"):
        download.fetch_checked(url, tmp_path / "out", SHA)
    assert not (tmp_path / "out").exists()


def test_nothing_comes_over_plain_http_after_a_redirect_either(site: Site, plain: Site) -> None:
    plain.content["/x"] = b"content"
    site.moved["/x"] = f"http://{plain.address}/x"
    site.moved["/fine"] = f"{site.url}/there"
    site.content["/there"] = b"there"
    assert download.fetch(f"{site.url}/fine") == "there"
    for url in (f"http://{plain.address}/x", f"{site.url}/x"):
        with pytest.raises(DeployError, match="cannot be fetched"):
            download.fetch(url)
    assert not plain.asked


def test_an_address_is_never_an_option(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="cannot be fetched"):
        download.fetch(f"-o{tmp_path}/x")
    assert not list(tmp_path.iterdir())
