"""A bundle from the projects' own releases: programs, CNI plugins and images, hashes checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlws.bundle import registry
from dlws.bundle.build import Artifact, Workspace, remove
from dlws.bundle.debian import Debian
from dlws.bundle.download import fetch_checked
from dlws.bundle.image import file_name
from dlws.core.version import Version
from dlws.shell.quoting import sh

PROGRAMS = ("kubeadm", "kubelet", "kubectl")
CNI_VERSION = "1.5.1"
_NEWEST_CRICTL = 33
_GITHUB = "https://github.com"


def program_url(version: Version, architecture: str, name: str) -> str:
    """Where a program of a Kubernetes release is; its sha256 is at the same address + .sha256."""
    return f"https://dl.k8s.io/release/v{version}/bin/linux/{architecture}/{name}"


def crictl_url(version: Version, architecture: str) -> str:
    """crictl has a release per minor version of Kubernetes, the newest of which fits later ones."""
    tag = f"v1.{min(version.minor, _NEWEST_CRICTL)}.0"
    file = f"crictl-{tag}-linux-{architecture}.tar.gz"
    return f"{_GITHUB}/kubernetes-sigs/cri-tools/releases/download/{tag}/{file}"


def cni_url(architecture: str) -> str:
    file = f"cni-plugins-linux-{architecture}-v{CNI_VERSION}.tgz"
    return f"{_GITHUB}/containernetworking/plugins/releases/download/v{CNI_VERSION}/{file}"


@dataclass(frozen=True)
class Upstream:
    """The artifacts of a bundle for one architecture, fetched to a workspace."""

    workspace: Workspace
    version: Version
    architecture: str
    codenames: Sequence[str]

    def artifacts(self) -> list[Artifact]:
        """Every artifact. kubeadm is fetched first: it knows which images it wants."""
        debian = Debian(self.workspace, self.architecture, self.codenames)
        return [
            *(self._program(name) for name in PROGRAMS),
            self._unpacked("bin/crictl", crictl_url(self.version, self.architecture), "crictl"),
            self._unpacked("cni", cni_url(self.architecture), ""),
            *(self._image(name) for name in self._image_names()),
            *(debian.packages(codename) for codename in self.codenames),
        ]

    def _program(self, name: str) -> Artifact:
        url = program_url(self.version, self.architecture, name)
        return Artifact(f"bin/{name}", url, lambda out: fetch_checked(url, out))

    def _unpacked(self, path: str, url: str, member: str) -> Artifact:
        def make(out: Path) -> None:
            archive = self.workspace.work / "archive"
            fetch_checked(url, archive)
            folder = self.workspace.work / "unpacked"
            remove(folder)
            folder.mkdir(parents=True)
            self.workspace.run(sh("tar", "-xzf", archive, "-C", folder, "--no-same-owner"))
            for text in (*folder.glob("*.md"), *folder.glob("LICENSE")):
                text.unlink()
            (folder / member).rename(out)

        return Artifact(path, url, make)

    def _image(self, name: str) -> Artifact:
        def make(out: Path) -> None:
            registry.pull(self.workspace, name, self.architecture, out)

        return Artifact(f"images/{file_name(name)}", name, make)

    def _image_names(self) -> list[str]:
        """What kubeadm of this version asks for, by a kubeadm that runs on this machine."""
        here = self.workspace.run("dpkg --print-architecture")
        kubeadm = self.workspace.cache / "kubeadm"
        if not kubeadm.exists():
            fresh = self.workspace.cache / "kubeadm.new"
            fetch_checked(program_url(self.version, here, "kubeadm"), fresh)
            fresh.rename(kubeadm)
        line = sh(kubeadm, "config", "images", "list", "--kubernetes-version", self.version.tag)
        return self.workspace.run(line).split()
