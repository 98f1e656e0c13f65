from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlws.bundle import manifest
from dlws.bundle.manifest import NAME, BundleBroken, problems
from dlws.core.errors import DeployError


def test_a_bundle_as_written_is_intact(bundle: Path) -> None:
    assert problems(bundle) == []


def test_tampering_is_found_by_hash_even_at_the_same_size(bundle: Path) -> None:
    (bundle / "amd64/bin/kubelet").write_bytes(b"KUBELET")
    (line,) = problems(bundle)
    assert line.startswith("wrong: amd64/bin/kubelet: sha256")


def test_a_missing_and_a_surplus_file_are_named(bundle: Path) -> None:
    (bundle / "amd64/cni/bridge").unlink()
    (bundle / "amd64/bin/a b;$(x)").write_bytes(b"")
    (bundle / "amd64/lost").symlink_to("nowhere")
    assert problems(bundle) == [
        "missing: amd64/cni/bridge",
        "surplus: amd64/bin/a b;$(x)",
        "surplus: amd64/lost",
    ]


def test_a_link_in_the_place_of_a_file_is_wrong(bundle: Path, tmp_path: Path) -> None:
    file = bundle / "amd64/bin/kubelet"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert problems(bundle) == ["wrong: amd64/bin/kubelet: not a plain file"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", '{"architectures": []}', "null"])
def test_what_is_no_manifest_is_an_error_with_a_cure(bundle: Path, text: str) -> None:
    (bundle / NAME).write_text(text)
    with pytest.raises(BundleBroken) as caught:
        problems(bundle)
    assert str(bundle) in caught.value.message and "bundle build" in caught.value.cure


def test_binary_is_no_manifest(bundle: Path) -> None:
    (bundle / NAME).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleBroken):
        problems(bundle)


def test_no_bundle_at_all(tmp_path: Path) -> None:
    with pytest.raises(BundleBroken, match="there is no bundle here"):
        manifest.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", "../../etc/passwd"),
        ("path", "/etc/passwd"),
        ("path", "bin/../../x"),
        ("path", "bin/x\ny"),
        ("path", "bin/-rf"),
        ("path", "packages/x.deb"),
        ("sha256", "abc"),
        ("mode", 0o4755),
    ],
)
def test_a_manifest_cannot_lead_out_of_the_bundle(bundle: Path, key: str, value: object) -> None:
    text: dict[str, Any] = json.loads((bundle / NAME).read_text())
    text["architectures"]["amd64"]["files"][0][key] = value
    (bundle / NAME).write_text(json.dumps(text))
    with pytest.raises(BundleBroken):
        manifest.load(bundle)


@pytest.mark.parametrize("key", ["from", "kubernetes_version", "created"])
@pytest.mark.parametrize("value", ["x; rm -rf /", "", 7, None, ["debian"]])
def test_a_manifest_puts_nothing_odd_into_lines_to_copy(
    bundle: Path, key: str, value: object
) -> None:
    text: dict[str, Any] = json.loads((bundle / NAME).read_text())
    (bundle / NAME).write_text(json.dumps(text | {key: value}))
    with pytest.raises(BundleBroken):
        manifest.load(bundle)


def test_a_manifest_survives_its_own_text(bundle: Path) -> None:
    value = manifest.load(bundle)
    assert manifest.parse(value.dump()) == value
    assert value.architectures["amd64"][0].mode == 0o755


def test_a_node_gets_its_own_architecture_and_release_only(bundle: Path) -> None:
    part = manifest.load(bundle).for_node("amd64", "trixie")
    paths = [entry.path for entry in part.architectures["amd64"]]
    assert "packages/trixie/socat_1.8_amd64.deb" in paths and "bin/kubeadm" in paths
    assert not [path for path in paths if "bookworm" in path]


def test_a_worker_is_sent_no_image_of_the_control_plane() -> None:
    names = ["kube-apiserver_v1.tar", "etcd_3.tar", "kube-proxy_v1.tar", "pause_3.tar"]
    entries = tuple(manifest.Entry(f"images/{n}", "0" * 64, 1, 0o644, "image") for n in names)
    whole = manifest.Manifest("1.20.2", "debian", "now", {"amd64": entries})
    part = whole.for_node("amd64", "bookworm", control_plane=False)
    assert [entry.path for entry in part.architectures["amd64"]] == [
        "images/kube-proxy_v1.tar", "images/pause_3.tar",
    ]  # fmt: skip
    assert whole.for_node("amd64", "bookworm") == whole


def test_an_architecture_that_the_bundle_lacks_names_the_cure(bundle: Path) -> None:
    with pytest.raises(DeployError) as caught:
        manifest.load(bundle).for_node("arm64", "bookworm")
    assert caught.value.cure == "deploy.py bundle build --from debian --arch arm64"
