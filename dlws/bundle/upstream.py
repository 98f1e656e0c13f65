"""A bundle from the projects' own releases: programs, CNI plugins and images, by pinned hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlws.bundle import registry
from dlws.bundle.build import Artifact, Workspace, remove
from dlws.bundle.debian import Debian
from dlws.bundle.download import fetch_published
from dlws.bundle.image import file_name
from dlws.bundle.manifest import digest, files
from dlws.bundle.pins import Pins
from dlws.core.errors import DeployError
from dlws.core.version import Version
from dlws.shell.quoting import sh

PROGRAMS = ("kubeadm", "kubelet", "kubectl")
CNI_VERSION = "1.6.2"
_NEWEST_CRICTL = 33
_RELEASES = "https://dl.k8s.io/release"
_GITHUB = "https://github.com"


def program_url(version: Version, architecture: str, name: str) -> str:
    """Where a program of a Kubernetes release is; its sha256 is at the same address + .sha256."""
    return f"{_RELEASES}/v{version}/bin/linux/{architecture}/{name}"


def crictl_url(version: Version, architecture: str) -> str:
    """crictl has a release per minor version of Kubernetes, the newest of which fits later ones."""
    tag = f"v1.{min(version.minor, _NEWEST_CRICTL)}.0"
    file = f"crictl-{tag}-linux-{architecture}.tar.gz"
    return f"{_GITHUB}/kubernetes-sigs/cri-tools/releases/download/{tag}/{file}"


def cni_url(architecture: str) -> str:
    file = f"cni-plugins-linux-{architecture}-v{CNI_VERSION}.tgz"
    return f"{_GITHUB}/containernetworking/plugins/releases/download/v{CNI_VERSION}/{file}"


def urls(version: Version, architecture: str) -> list[str]:
    """The addresses of all files for one architecture."""
    programs = [program_url(version, architecture, name) for name in PROGRAMS]
    return [*programs, crictl_url(version, architecture), cni_url(architecture)]


@dataclass(frozen=True)
class Upstream:
    """The artifacts of a bundle for one architecture, fetched to a workspace."""

    workspace: Workspace
    version: Version
    architecture: str
    codenames: Sequence[str]
    pins: Pins

    def artifacts(self) -> list[Artifact]:
        """Every artifact. kubeadm is fetched first: it knows which images it wants."""
        debian = Debian(self.workspace, self.architecture, self.codenames)
        self.pins.require(urls(self.version, self.architecture))
        images = image_names(self.workspace, self.version, self.pins)
        self.pins.require(images=images)
        return [
            *(self._program(name) for name in PROGRAMS),
            self._unpacked("bin/crictl", crictl_url(self.version, self.architecture), "crictl"),
            self._unpacked("cni", cni_url(self.architecture), ""),
            *(self._image(name) for name in images),
            *(debian.packages(codename) for codename in self.codenames),
        ]

    def _program(self, name: str) -> Artifact:
        url = program_url(self.version, self.architecture, name)
        recipe = f"{url} {self.pins.files.get(url, '')}"
        return Artifact(f"bin/{name}", recipe, lambda out: self.pins.fetch(url, out))

    def _unpacked(self, path: str, url: str, member: str) -> Artifact:
        def make(out: Path) -> None:
            archive = self.workspace.work / "archive"
            archive.parent.mkdir(parents=True, exist_ok=True)
            self.pins.fetch(url, archive)
            folder = self.workspace.work / "unpacked"
            unpack(self.workspace, archive, folder)
            (folder / member).rename(out)

        return Artifact(path, f"{url} {self.pins.files.get(url, '')}", make)

    def _image(self, name: str) -> Artifact:
        pinned = self.pins.image(name)

        def make(out: Path) -> None:
            registry.pull(self.workspace, name, self.architecture, out, pinned)

        return Artifact(f"images/{file_name(name)}", f"{name} {pinned}", make)


def unpack(workspace: Workspace, archive: Path, folder: Path) -> None:
    """Unpack programs; what is no plain file would be followed when it is copied."""
    remove(folder)
    folder.mkdir(parents=True)
    workspace.run(sh("tar", "-xzf", archive, "-C", folder, "--no-same-owner"))
    for text in (*folder.glob("*.md"), *folder.glob("LICENSE")):
        text.unlink()
    if odd := [path.name for path in files(folder) if path.is_symlink() or not path.is_file()]:
        raise DeployError(
            f"{archive.name} holds links or devices: {', '.join(odd)}", "do not use it"
        )


def image_names(workspace: Workspace, version: Version, pins: Pins) -> list[str]:
    """What kubeadm of this version asks for, by a kubeadm that runs on this machine."""
    url = program_url(version, workspace.run("dpkg --print-architecture"), "kubeadm")
    kubeadm = workspace.cache / "kubeadm"
    expected = pins.file(url)
    if not kubeadm.is_file() or digest(kubeadm) != expected:
        fresh = workspace.cache / "kubeadm.new"
        pins.fetch(url, fresh)
        fresh.rename(kubeadm)
    line = sh(kubeadm, "config", "images", "list", "--kubernetes-version", version.tag)
    return workspace.run(line).split()


def published(
    workspace: Workspace, version: Version, architectures: Sequence[str], others: Sequence[str]
) -> Pins:
    """What the publishers of everything in a bundle, and of other images, say now."""
    here = workspace.run("dpkg --print-architecture")
    wanted = [url for name in architectures for url in urls(version, name)]
    wanted.append(program_url(version, here, "kubeadm"))
    found = {url: fetch_published(url) for url in dict.fromkeys(wanted)}
    images = [*image_names(workspace, version, Pins(found)), *others]
    return Pins(found, {name: registry.tagged(workspace, name) for name in images})
