from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from dlws.bundle.image import Image, file_name, names, write
from dlws.core.errors import DeployError

PAUSE = Image("k8s.gcr.io/pause:3.2", "arm64", ["/pause"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr/sbin").mkdir(parents=True)
    (root / "pause").write_bytes(b"program")
    (root / "pause").chmod(0o755)
    (root / "usr/sbin/iptables").symlink_to("xtables-nft-multi")
    return root


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {m.name: f.read() for m in tar if (f := tar.extractfile(m))}


def test_the_hashes_in_an_archive_fit_each_other(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "x.tar", PAUSE, root)
    found = members(tmp_path / "x.tar")
    (manifest,) = json.loads(found["manifest.json"])
    config = found[manifest["Config"]]
    assert manifest["RepoTags"] == ["k8s.gcr.io/pause:3.2"]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    layers = [hashlib.sha256(found[name]).hexdigest() for name in manifest["Layers"]]
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{name}" for name in layers]
    assert json.loads(config)["architecture"] == "arm64"
    assert json.loads(config)["config"]["Entrypoint"] == ["/pause"]


def test_a_layer_holds_files_modes_and_links_as_root(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "x.tar", PAUSE, root)
    found = members(tmp_path / "x.tar")
    layer = found[json.loads(found["manifest.json"])[0]["Layers"][0]]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        inside = {member.name: member for member in tar}
    assert list(inside) == ["pause", "usr", "usr/sbin", "usr/sbin/iptables"]
    assert (inside["pause"].mode, inside["pause"].uid, inside["pause"].mtime) == (0o755, 0, 0)
    assert inside["usr/sbin/iptables"].linkname == "xtables-nft-multi"


def test_the_same_files_make_the_same_bytes_and_leave_nothing_else(
    root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    write(folder / "1.tar", PAUSE, root)
    (root / "pause").touch()
    write(folder / "2.tar", PAUSE, root)
    assert (folder / "1.tar").read_bytes() == (folder / "2.tar").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["1.tar", "2.tar"]
    assert names(folder / "1.tar") == ["k8s.gcr.io/pause:3.2"]


@pytest.mark.parametrize("name", ["x/..", "", "a/-rf", "a b", "x/.hidden", "a\nb", "a:$(x)"])
def test_what_is_no_image_names_no_archive(name: str) -> None:
    with pytest.raises(DeployError, match="not the name of an image"):
        file_name(name)


def test_archives_are_named_after_their_image() -> None:
    assert file_name("k8s.gcr.io/etcd:3.4.13-0") == "etcd_3.4.13-0.tar"
