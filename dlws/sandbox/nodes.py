"""One node: its files, its start, its end."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from dlws.core import ownership, resources
from dlws.core.connection import Local, banner
from dlws.core.errors import DeployError
from dlws.core.localfiles import read
from dlws.core.program import PROGRAM
from dlws.sandbox import cgroups, network, rootfs
from dlws.sandbox.configure import RUNC
from dlws.sandbox.machine import run
from dlws.sandbox.state import Sandbox, SandboxNode
from dlws.shell.quoting import script, sh
from dlws.ssh.hostkeys import HostKeys, place, written

BOOT = 120.0
"""Seconds a node may take from its start to an SSH banner, on a busy machine."""

BINDS = ("/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet", "/srv")
"""Folders that lie on the machine's own disk: overlays and file handles do not work on overlays."""

# A user's own systemd costs a third of a second of processor, at each login that finds none.
_LOGIN = "[Login]\nUserStopDelaySec=infinity\n"

# Nobody reads translated descriptions of packages in a node, and what a crash of this machine
# leaves of a node is thrown away.
_APT, _DPKG = 'Acquire::Languages "none";\n', "force-unsafe-io\n"

_SHELL_IN_NODE = """
set -e
rm -f "$1"/etc/ssh/ssh_host_*
# An RSA key would take longer than all else here.
for kind in ecdsa ed25519; do
    chroot "$1" ssh-keygen -q -N "" -t "$kind" -f "/etc/ssh/ssh_host_${kind}_key"
done
chroot "$1" chpasswd
# Each session would start four programs for a greeting that nobody reads.
chroot "$1" sed -i /pam_motd/d /etc/pam.d/sshd
# And each daemon-reload these generators, which find nothing in a container.
mkdir -p "$1/etc/systemd/system-generators"
for name in cryptsetup debug gpt-auto hibernate-resume integritysetup run system-update veritysetup
do ln -sf /dev/null "$1/etc/systemd/system-generators/systemd-$name-generator"; done
chroot "$1" systemctl --quiet enable dlws-node-setup.service ssh.service
chroot "$1" systemctl --quiet mask systemd-networkd.service systemd-networkd.socket \
    e2scrub_reap.service
"""

_MOUNT = """
mkdir -p "$2/root" "$2/upper" "$2/work"
mountpoint -q "$2/root" || mount -t overlay "dlws-$3" "$2/root" \
    -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work"
"""


def prepare(sandbox: Sandbox, node: SandboxNode, base: Path, password: str) -> None:
    """Makes the node's file system; a node that was prepared once keeps what is on it."""
    folder = sandbox.folder(node)
    if (folder / "prepared").exists():
        return
    _mount(sandbox, node, base)
    for path, (text, mode) in files(sandbox, node).items():
        write(folder / "root", path, text, mode)
    _trust_what_the_machine_trusts(folder / "root")
    secret = f"root:{password}\n".encode()
    run(script(_SHELL_IN_NODE, folder / "root"), stdin=secret, doing=f"preparing {node.name}")
    (folder / "prepared").touch()


def _mount(sandbox: Sandbox, node: SandboxNode, base: Path) -> None:
    sandbox.folder(node).mkdir(parents=True, exist_ok=True)
    mount = script(_MOUNT, base, sandbox.folder(node), sandbox.label(node))
    run(mount, doing=f"mounting the file system of {node.name}")


def set_password(sandbox: Sandbox, node: SandboxNode, password: str) -> None:
    """Gives a node that was prepared before another root password."""
    if (sandbox.folder(node) / "prepared").exists():
        _mount(sandbox, node, sandbox.base)
        change = sh("chroot", sandbox.folder(node) / "root", "chpasswd")
        secret = f"root:{password}\n".encode()
        run(change, stdin=secret, doing=f"setting the root password of {node.name}")


def know(sandbox: Sandbox, known: HostKeys) -> None:
    """Know the nodes by their host keys: they were made here, nobody has to compare them."""
    keys: dict[str, bytes] = {}
    for node in sandbox.nodes:
        address = sandbox.address(node)
        own = written(_host_key(sandbox.folder(node) / "root"))
        if own and known.accepted(address, 22) != own:
            keys[place(address, 22)] = own.pop()
    if keys:
        known.accept(keys)


def _host_key(root: Path) -> str:
    """A node's public host key; nothing where root there has put something else in its place."""
    with suppress(OSError):
        return read(root / "etc/ssh/ssh_host_ed25519_key.pub").decode(errors="replace")
    return ""


def files(sandbox: Sandbox, node: SandboxNode) -> dict[str, tuple[str, int]]:
    """What a node has beyond the base file system: path, text and mode."""
    shipped = resources.templates() / "sandbox"
    unit = (shipped / "dlws-node-setup.service").read_text()
    setup = (shipped / "node-setup.sh").read_text()
    standins = (shipped / "stand-in-devices.sh").read_text()
    servers = "".join(f"nameserver {server}\n" for server in network.nameservers())
    search = f"search {sandbox.domain}\n" if sandbox.domain else ""
    facts = f"ADDRESS={sandbox.address(node)}/24\nGATEWAY={sandbox.gateway}\n"
    apt = "".join(f"{line}\n" for line in rootfs.machine_apt_settings())
    mirrors = "".join(f"{line}\n" for line in rootfs.machine_sources(sandbox.os))
    return {
        "etc/hostname": (f"{node.name}\n", 0o644),
        "etc/hosts": (hosts(sandbox), 0o644),
        "etc/resolv.conf": (search + servers, 0o644),
        "etc/dlws-sandbox": (facts, 0o644),
        "etc/systemd/system/dlws-node-setup.service": (unit, 0o644),
        "usr/local/sbin/dlws-node-setup": (setup, 0o755),
        "usr/local/sbin/dlws-stand-in-devices": (standins, 0o755),
        RUNC.lstrip("/"): ((shipped / "runc.sh").read_text(), 0o755),
        "etc/ssh/sshd_config.d/10-sandbox.conf": ("PermitRootLogin yes\nUseDNS no\n", 0o644),
        "etc/systemd/logind.conf.d/10-sandbox.conf": (_LOGIN, 0o644),
        "etc/apt/sources.list": (mirrors, 0o644),
        "etc/apt/apt.conf.d/90machine": (apt + _APT, 0o644),
        "etc/dpkg/dpkg.cfg.d/10-sandbox": (_DPKG, 0o644),
        "etc/environment": (proxies(), 0o644),
    }


def hosts(sandbox: Sandbox) -> str:
    """The nodes' /etc/hosts: what the DNS of a site would answer."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    for node in sandbox.nodes:
        names = dict.fromkeys([sandbox.fqdn(node), node.name])
        lines.append(" ".join([sandbox.address(node), *names]))
    return "\n".join(lines) + "\n"


def proxies() -> str:
    """The machine's proxy settings as lines of /etc/environment."""
    names = [
        name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "no_proxy")
    ]
    return "".join(f'{name}="{os.environ[name]}"\n' for name in sorted(names))


def write(root: Path, path: str, text: str, mode: int) -> None:
    """Puts a file in a node's file system, and never through a link that lies there."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.dlws")
    new.write_text(text)
    new.chmod(mode)
    os.replace(new, target)


def _trust_what_the_machine_trusts(root: Path) -> None:
    """A site's own certificate authority must count inside too, for apt and pip over HTTPS."""
    bundle = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    if bundle.is_file():
        shutil.copyfile(bundle, root / "etc/ssl/certs/ca-certificates.crt")
    extra = Path("/usr/local/share/ca-certificates")
    if extra.is_dir():
        shutil.copytree(extra, root / "usr/local/share/ca-certificates", dirs_exist_ok=True)


def boot(sandbox: Sandbox, node: SandboxNode, base: Path) -> None:
    """Starts a node under a supervisor of its own that outlives us."""
    ownership.trusted(base)
    folder = sandbox.folder(node)
    label = sandbox.label(node)
    cgroups.end(label, time.monotonic() + 20)  # what a killed supervisor left behind
    clean_runtime(label, folder / "root")
    supervise = resources.templates() / "sandbox/supervise.sh"
    words = ("sh", supervise, label, node.name, folder, base, sandbox.bridge, *BINDS)
    start = 'log=$1; shift; exec setsid "$@" </dev/null >"$log" 2>&1 &'
    run(script(start, folder / "log", *words), doing=f"starting {node.name}")


def answers(sandbox: Sandbox, node: SandboxNode, seconds: float = BOOT) -> None:
    """Waits until the node's sshd has sent its banner; fails at once when the node has died."""
    deadline = time.monotonic() + seconds
    while not banner(sandbox.address(node), 22, min(deadline, time.monotonic() + 5)):
        if time.monotonic() >= deadline or not alive(sandbox, node):
            raise DeployError(
                f"{node.name} did not come up: {last_words(sandbox, node)}",
                f"its console is in {sandbox.folder(node) / 'log'}; "
                f"`{PROGRAM} sandbox start {node.name}` tries again",
            )


def alive(sandbox: Sandbox, node: SandboxNode) -> bool:
    """Whether the node's supervisor runs (or is just about to)."""
    try:
        pid = int((sandbox.folder(node) / "supervisor.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False
    return sandbox.label(node).encode() in command.split(b"\0")


def last_words(sandbox: Sandbox, node: SandboxNode) -> str:
    try:
        lines = (sandbox.folder(node) / "log").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return "it left no log"
    return " / ".join(line for line in lines[-4:] if line.strip()) or "its log is empty"


def remove(label: str, folder: Path) -> None:
    """Ends a node in whatever state it is and removes its mounts, groups and files."""
    cgroups.end(label, time.monotonic() + 60)
    clean_runtime(label, folder / "root")
    for mount in mounts_below(Path("/proc/self/mountinfo").read_text(), folder):
        run(sh("umount", mount), doing=f"unmounting {mount}")
    if folder.exists():
        shutil.rmtree(folder)


def clean_runtime(label: str, root: Path) -> None:
    """Removes what a killed nspawn leaves in /run."""
    for kind in ("propagate", "unix-export"):
        Local().run(sh("umount", "--quiet", f"/run/systemd/nspawn/{kind}/{label}"))
        shutil.rmtree(f"/run/systemd/nspawn/{kind}/{label}", ignore_errors=True)
    if root.exists():
        place = root.stat()
        lock = f"/run/systemd/nspawn/locks/inode-{place.st_dev}:{place.st_ino}"
        Path(lock).unlink(missing_ok=True)


def mounts_below(mountinfo: str, folder: Path) -> list[str]:
    """Mount points at or below a folder in /proc/self/mountinfo, the deepest first."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return [
        point
        for point in reversed(points)
        if point == str(folder) or point.startswith(f"{folder}/")
    ]
