from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dlws.bundle import download
from dlws.core.errors import DeployError

SHA = hashlib.sha256(b"content").hexdigest()


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
