"""A bundle from Debian alone: Kubernetes compiled from Debian's source package, without network
access to anything but a Debian archive."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlws.bundle import apt
from dlws.bundle.build import Artifact, Workspace, remove
from dlws.bundle.image import Image, file_name, write
from dlws.bundle.manifest import digest
from dlws.core import resources
from dlws.core.connection import Local
from dlws.core.errors import DeployError, UsageError
from dlws.core.program import PROGRAM
from dlws.core.version import Version
from dlws.shell.quoting import chain, script, sh

VERSION = "1.20.2"
CODENAME = "bookworm"
"""The Debian release whose source package `kubernetes` is this version."""
RELEASED = "2021-01-13T13:20:00Z"
TOOLS = (
    "debian-archive-keyring",
    "dpkg-dev",
    "golang-github-modern-go-reflect2-dev",
    "golang-go",
)
PROGRAMS = ("kubeadm", "kubelet", "kubectl", "crictl")
STAND_IN = "stand-in-device-plugin"
"""For the devices of a rehearsal (templates/sandbox/services)."""
SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
PACKAGES = (
    *("conntrack", "containerd", "containernetworking-plugins", "curl", "ebtables", "ethtool"),
    *("gnupg", "iptables", "kmod", "nfs-common", "pciutils", "procps", "runc", "socat"),
    *("docker-registry", "skopeo"),
    *("attr", "glusterfs-client", "glusterfs-server", "nfs-kernel-server", "sshfs"),
)
"""What the node scripts install before Kubernetes runs, then what the registry is, then what shares
need; what these need comes along."""
_LIBC = ("libc6",)
_PROXY = (
    *("conntrack", "iptables", "libip4tc2", "libip6tc2", "libmnl0", "libnetfilter-conntrack3"),
    *("libnfnetlink0", "libnftnl11", "libxtables12", "netbase"),
)
_USELESS = (
    *("usr/share/doc", "usr/share/man", "usr/share/lintian", "usr/share/bug", "usr/share/locale"),
    *("usr/lib/*/gconv", "usr/lib/*/audit", "lib/systemd", "etc/init.d", "usr/share/iptables"),
)


@dataclass(frozen=True)
class Debian:
    """The artifacts of a bundle for one architecture, made in a workspace."""

    workspace: Workspace
    architecture: str
    codenames: Sequence[str] = (CODENAME,)

    def artifacts(self) -> list[Artifact]:
        """Every artifact, the long ones that the others do not need first."""
        return [
            *(self._program(name) for name in PROGRAMS),
            *(self._server(name) for name in SERVERS),
            self._tiny("pause", "k8s.gcr.io/pause:3.2", "/pause"),
            self._tiny("hello", "dlws/hello:1", "/hello"),
            self._tiny(STAND_IN, f"dlws/{STAND_IN}:1", f"/{STAND_IN}"),
            self._image("k8s.gcr.io/etcd:3.4.13-0", self._etcd, ["etcd"], "etcd-server"),
            Artifact("cni", recipe("containernetworking-plugins"), self._cni),
            *(self.packages(codename) for codename in self.codenames),
        ]

    def _program(self, name: str) -> Artifact:
        return Artifact(
            f"bin/{name}", _source(name), lambda out: self._compile(name, out), needs_source=True
        )

    def _server(self, name: str) -> Artifact:
        def fill(root: Path) -> None:
            if name == "kube-proxy":
                self._extract(root, (*_PROXY, *_LIBC))
                _link_iptables(root / "usr/sbin")
            self._compile(name, root / "usr/local/bin" / name)

        image = f"k8s.gcr.io/{name}:v{VERSION}"
        return self._image(image, fill, [name], _source(name), needs_source=True)

    def _tiny(self, name: str, image: str, path: str) -> Artifact:
        def fill(root: Path) -> None:
            self._compile(name, root / path.lstrip("/"))

        return self._image(image, fill, [path], _source(name), needs_source=True)

    def _etcd(self, root: Path) -> None:
        self._extract(root, ("etcd-server", *_LIBC))
        (root / "usr/local/bin").mkdir(parents=True)
        (root / "usr/bin/etcd").rename(root / "usr/local/bin/etcd")

    def _image(
        self,
        name: str,
        fill: Callable[[Path], None],
        entrypoint: list[str],
        source: str,
        needs_source: bool = False,
    ) -> Artifact:
        def make(out: Path) -> None:
            root = self.workspace.work / "root"
            remove(root)
            root.mkdir(parents=True)
            fill(root)
            write(out, Image(name, self.architecture, entrypoint), root)
            remove(root)

        path = f"images/{file_name(name)}"
        return Artifact(path, recipe("image 1", name, source), make, needs_source)

    def _cni(self, out: Path) -> None:
        root = self.workspace.work / "cni"
        remove(root)
        self._extract(root, ("containernetworking-plugins",), prune=False)
        (root / "usr/lib/cni").rename(out)
        remove(root)

    def packages(self, codename: str) -> Artifact:
        def make(out: Path) -> None:
            out.mkdir()
            self._download(out, self._beyond(codename), codename)
            for deb in list(out.iterdir()):
                deb.rename(out / apt.pool_name(deb.name))
            self._index(out)

        words = ("index 1", codename, *PACKAGES, *apt.BASE)
        return Artifact(f"packages/{codename}", recipe(*words), make)

    def _index(self, folder: Path) -> None:
        """Write what apt has to know of the packages: each node would ask each of them itself."""
        stanzas = []
        for deb in sorted(folder.glob("*.deb")):
            control = self.workspace.run(sh("dpkg-deb", "-f", deb))
            stanzas.append(apt.stanza(control, deb.name, deb.stat().st_size, digest(deb)))
        (folder / apt.INDEX).write_text("".join(stanzas))

    def _beyond(self, codename: str) -> list[str]:
        def simulate(*names: str) -> list[str]:
            words = ("--simulate", "--no-install-recommends", "install", *apt.BASE, *names)
            return apt.simulated(self._apt(codename, *words))

        return apt.beyond(simulate(*PACKAGES), simulate())

    def _apt(self, codename: str, *words: str) -> str:
        place = self._place(codename)
        return self.workspace.run(
            apt.apt_get(place, self.architecture, *words), f"apt-get {' '.join(words)}"
        )

    def _place(self, codename: str) -> Path:
        """A private apt whose lists are there, fetched once."""
        place = self.workspace.work / f"apt-{codename}-{self.architecture}"
        if not (place / "ready").exists():
            apt.prepare(place, self.workspace.run(apt.TARGETS), codename)
            self.workspace.run(apt.apt_get(place, self.architecture, "update"), "apt-get update")
            (place / "ready").touch()
        return place

    def _download(self, folder: Path, names: Sequence[str], codename: str) -> None:
        place = self._place(codename)
        line = apt.apt_get(place, self.architecture, "download", *names)
        self.workspace.run(chain(sh("cd", folder), line), f"apt-get download {' '.join(names)}")

    def _extract(self, root: Path, names: Sequence[str], prune: bool = True) -> None:
        folder = self.workspace.work / "debs"
        remove(folder)
        folder.mkdir(parents=True)
        self._download(folder, names, CODENAME)
        for deb in sorted(folder.iterdir()):
            self.workspace.run(sh("dpkg-deb", "-x", deb, root))
        for pattern in _USELESS if prune else ():
            for path in list(root.glob(pattern)):
                remove(path)

    def _compile(self, name: str, out: Path) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        package = f"./cmd/{name}" if name in (*PROGRAMS[:3], *SERVERS) else f"./cmd/dlws-{name}"
        arguments = (package, self.architecture, self._gopath(), out, VERSION, RELEASED)
        self.workspace.run_script(_templates() / "compile.sh", *arguments)

    def _gopath(self) -> Path:
        return self.workspace.work / "go"

    def unpack(self) -> None:
        """The source tree in the workspace, ready to compile."""
        ready = self._gopath() / "ready"
        if ready.exists() and ready.read_text() == _tree():
            return
        dsc = self._source_package()
        self.workspace.run_script(
            _templates() / "unpack.sh", dsc, self._gopath(), _templates() / "programs"
        )
        ready.write_text(_tree())

    def _source_package(self) -> Path:
        folder = self.workspace.work / "source"
        folder.mkdir(parents=True, exist_ok=True)
        words = ("source", "--download-only", "kubernetes")
        line = apt.apt_get(self._place(CODENAME), self.architecture, *words)
        self.workspace.run(chain(sh("cd", folder), line), "apt-get source kubernetes")
        found = [p for p in folder.glob("*.dsc") if source_version(p.name) == VERSION]
        if not found:
            raise DeployError(
                f"{CODENAME}'s source package kubernetes is no longer {VERSION}",
                f"{PROGRAM} bundle build --from upstream",
            )
        return found[0]


def source_version(dsc: str) -> str:
    """The upstream version of `kubernetes_1.20.5+really1.20.2-1.1.dsc`: 1.20.2."""
    match = re.fullmatch(r"kubernetes_(?:.*\+really)?([\d.]+)(?:[-+~].*)?\.dsc", dsc)
    return match[1] if match else ""


def check_version(version: Version) -> None:
    """Refuse a version that Debian has no source of."""
    if str(version) != VERSION:
        raise UsageError(
            f"Debian has the source of Kubernetes {VERSION}, not of {version}",
            f"set kubernetes.version: {VERSION}, or use: {PROGRAM} bundle build --from upstream",
        )


def install_tools(workspace: Workspace) -> None:
    """Install what compiling needs on this machine, saying so; nothing if it is there."""
    shown = Local().run(sh("dpkg-query", "-Wf", "${Package} ${db:Status-Status}\n", *TOOLS)).text
    missing = [name for name in TOOLS if f"{name} installed" not in shown.splitlines()]
    if not missing:
        return
    workspace.console.say(f"installing on this machine: {' '.join(missing)}")
    workspace.run(install_line(missing), f"apt-get install {' '.join(missing)}")


def install_line(names: Sequence[str]) -> str:
    """Install packages on this machine, with fresh lists if those at hand are too old."""
    text = """root=; [ "$(id -u)" = 0 ] || root='sudo -n'
get() { $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qy "$@"; }
add() { get install --no-install-recommends "$@"; }
add "$@" || { get update && add "$@"; }"""
    return script(text, *names)


def _link_iptables(folder: Path) -> None:
    # In Debian these names are alternatives, made when the package is configured; here it is not.
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            (folder / f"{name}{suffix}").symlink_to("xtables-nft-multi")


def _templates() -> Path:
    return resources.templates() / "bundle"


def recipe(*parts: str) -> str:
    """What an artifact depends on, as a short hash."""
    return hashlib.sha256("\0".join((VERSION, CODENAME, *parts)).encode()).hexdigest()[:16]


def _source(name: str) -> str:
    """The recipe of a compiled program: our scripts, and its own source where it is ours."""
    own = sorted((_templates() / "programs" / name).glob("*.go"))
    scripts = [_templates() / "unpack.sh", _templates() / "compile.sh"]
    return recipe(*(path.read_text() for path in [*scripts, *own]))


def _tree() -> str:
    own = sorted((_templates() / "programs").glob("*/*.go"))
    return recipe(*(path.read_text() for path in [_templates() / "unpack.sh", *own]))
