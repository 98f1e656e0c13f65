"""A bundle from upstream, with servers here that say what they like."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlws.bundle import manifest, pins, upstream
from dlws.bundle.build import Workspace
from dlws.cli.bundle import bundle
from dlws.core.errors import CheckFailed, DeployError, Refused
from dlws.core.version import Version
from dlws.runs.options import Options
from dlws.session import Session
from tests.support.https import Site
from tests.support.images import Image

Command = Callable[..., None]


def test_addresses_of_programs() -> None:
    assert (
        upstream.program_url(Version(30, 4), "arm64", "kubelet")
        == "https://dl.k8s.io/release/v1.30.4/bin/linux/arm64/kubelet"
    )


@pytest.mark.parametrize(("version", "tag"), [("1.20.2", "v1.20.0"), ("1.37.0", "v1.33.0")])
def test_crictl_follows_the_minor_version_as_far_as_it_goes(version: str, tag: str) -> None:
    url = upstream.crictl_url(Version.parse(version), "amd64")
    assert url.endswith(f"/{tag}/crictl-{tag}-linux-amd64.tar.gz")


def tarball(*names: str, link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = (tarfile.SYMTYPE, link) if link else (tarfile.REGTYPE, "")
            tar.addfile(info)
    return out.getvalue()


@pytest.fixture
def upstream_site(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Image:
    """Everything of Kubernetes 1.30.4, which wants one image."""
    monkeypatch.setattr(upstream, "_RELEASES", f"{site.url}/release")
    monkeypatch.setattr(upstream, "_GITHUB", site.url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    image = Image(site)
    here = {"kubeadm": f"#!/bin/sh\necho {image.name}\n".encode(), "kubelet": b"k", "kubectl": b"c"}
    files = {upstream.program_url(Version(30, 4), "amd64", n): data for n, data in here.items()}
    files[upstream.crictl_url(Version(30, 4), "amd64")] = tarball("crictl")
    files[upstream.cni_url("amd64")] = tarball("bridge", "portmap")
    for url, data in files.items():
        path = url.removeprefix(site.url)
        site.content[path] = data
        site.content[f"{path}.sha256"] = hashlib.sha256(data).hexdigest().encode()
    return image


@pytest.fixture
def command(tmp_path: Path) -> Command:
    (tmp_path / "cluster").mkdir()

    def run(*words: str) -> None:
        line = [*words, "--arch", "amd64", "--kubernetes-version", "1.30.4"]
        session = Session(Options(directory=tmp_path / "cluster", yes=True))
        result = CliRunner().invoke(bundle, line, obj=session)
        if result.exception:
            raise result.exception

    return run


BUILD = ("build", "--from", "upstream")


@pytest.mark.usefixtures("upstream_site")
def test_nothing_is_taken_whose_hash_nobody_has_noted(command: Command, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        command(*BUILD)
    assert "/release/v1.30.4/bin/linux/amd64/kubelet" in caught.value.message
    assert "bundle pin" in caught.value.cure and "--trust-upstream-hashes" in caught.value.cure
    assert not (tmp_path / "cluster/deploy").exists()


@pytest.mark.usefixtures("upstream_site")
def test_publishers_are_trusted_where_somebody_says_so(command: Command, tmp_path: Path) -> None:
    command(*BUILD, "--trust-upstream-hashes")
    place = tmp_path / "cluster/deploy/bundle"
    assert manifest.problems(place) == []
    assert (place / "amd64/images/pause_3.2.tar").is_file()
    with pytest.raises(Refused):
        command(*BUILD, "--output", str(tmp_path / "other"))


def test_what_was_pinned_is_what_is_taken(
    upstream_site: Image, command: Command, tmp_path: Path
) -> None:
    command("pin")
    noted = pins.read(tmp_path / "cluster" / pins.NAME)
    assert noted.images == {upstream_site.name: upstream_site.index} and len(noted.files) == 5
    command("pin")  # says the same, and nothing is added
    assert pins.read(tmp_path / "cluster" / pins.NAME) == noted
    upstream_site.tag(upstream_site.config, upstream_site.blob(b"evil"))
    command(*BUILD)
    archive = tmp_path / "cluster/deploy/bundle/amd64/images/pause_3.2.tar"
    with tarfile.open(archive) as tar:
        assert f"{upstream_site.layer.removeprefix('sha256:')}.tar.gz" in tar.getnames()


def test_a_server_that_changes_file_and_hash_together_is_found(
    upstream_site: Image, command: Command, tmp_path: Path
) -> None:
    command("pin")
    path = "/release/v1.30.4/bin/linux/amd64/kubelet"
    content = upstream_site.site.content
    content[path] = b"evil"
    content[f"{path}.sha256"] = hashlib.sha256(b"evil").hexdigest().encode()
    with pytest.raises(DeployError, match=f"{path} has sha256"):
        command(*BUILD)
    with pytest.raises(DeployError, match=f"{path} has sha256"):
        command(*BUILD, "--trust-upstream-hashes")
    with pytest.raises(CheckFailed, match=r"kubelet is .* now, and pinned as"):
        command("pin")
    assert not (tmp_path / "cluster/deploy").exists()


def test_a_kubeadm_in_the_cache_that_is_another_one_is_not_run(
    upstream_site: Image, command: Command, tmp_path: Path
) -> None:
    command("pin")
    kubeadm = tmp_path / "cache/dlws/bundle/upstream-1.30.4/kubeadm"
    kubeadm.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    command(*BUILD)
    assert not (tmp_path / "ran").exists()


def test_a_link_among_the_plugins_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    """What it leads to would be copied into the bundle."""
    (tmp_path / "a.tgz").write_bytes(tarball("bridge", link="/etc/shadow"))
    with pytest.raises(DeployError, match="holds links or devices: bridge"):
        upstream.unpack(workspace, tmp_path / "a.tgz", tmp_path / "out")
