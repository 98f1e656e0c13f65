"""Stand-ins for the GPUs and NPUs that a configuration gives machines, and sandbox nodes lack."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core import resources
from dlws.core.errors import DeployError
from dlws.core.localfiles import read, write
from dlws.sandbox import cgroups, nodes
from dlws.sandbox.machine import run
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.config import Config, Machine
    from dlws.runs.console import Console
    from dlws.sandbox.state import Sandbox, SandboxNode

FILE = "etc/dlws/stand-in-devices"
"""On a node: what it has, for its own scripts, for ours and for the device plugin."""

_HEAD = """\
# Stand-ins for devices that this sandbox node does not have, made at each boot.
# Resource of Kubernetes, variable that names a container's own, devices, their number:
"""

_KINDS = {
    "gpu": "nvidia.com/gpu NVIDIA_VISIBLE_DEVICES /dev/nvidia",
    "npu": "huawei.com/Ascend910 ASCEND_VISIBLE_DEVICES /dev/davinci",
}
_SERVICES = ("nvidia-device-plugin", "a910-device-plugin")


def number(config: Config, machine: Machine) -> int:
    """How many stand-ins a machine gets; one where the configuration says no number."""
    if machine.type not in _KINDS:
        return 0
    said = config.device_count(machine)
    return 1 if said is None else said


def text(config: Config, machine: Machine) -> str:
    """What FILE says on a machine; nothing where it has no such devices."""
    kind = _KINDS.get(machine.type)
    return f"{_HEAD}{kind} {number(config, machine)}\n" if kind else ""


def give(directory: Path, sandbox: Sandbox, console: Console) -> None:
    """Give every node the stand-ins that config.yaml has devices for, and take away others."""
    from dlws.config import load

    try:
        config = load(directory)
    except DeployError:
        return  # the first command that needs it says what is wrong
    for node in sandbox.nodes:
        machine = config.machines.get(node.name)
        _give(sandbox, node, text(config, machine) if machine else "", console)
    if any(machine.type in _KINDS for machine in config.machines.values()):
        _services(directory, console)


def _give(sandbox: Sandbox, node: SandboxNode, wanted: str, console: Console) -> None:
    root = sandbox.folder(node) / "root"
    if wanted == _present(root):
        return
    if wanted:
        nodes.write(root, FILE, wanted, 0o644)
    else:
        (root / FILE).unlink()
    leader = cgroups.leader(cgroups.processes(cgroups.groups(sandbox.label(node))))
    if leader:
        inside = ("--mount", "--pid", "--root", "--wd")
        line = sh("nsenter", "--target", leader, *inside, "sh", "-s")
        run(line, stdin=script(), doing=f"making the devices of {node.name}")
    resource, *_, count = wanted.split()[-4:] or ("devices", "no")
    console.changed(f"has {count} stand-ins for {resource}", node.name)


def script() -> bytes:
    """Makes the devices on a node: run at once, and by the node at each boot."""
    return (resources.templates() / "sandbox/stand-in-devices.sh").read_bytes()


def _present(root: Path) -> str:
    with suppress(OSError):
        return read(root / FILE).decode(errors="replace")
    return ""


def _services(directory: Path, console: Console) -> None:
    """The device plugins of a rehearsal, in the cluster's own templates; what is there stays."""
    for service in _SERVICES:
        for source in sorted((resources.templates() / "sandbox/services" / service).iterdir()):
            path = directory / "templates/services" / service / source.name
            if not path.exists():
                write(path, source.read_bytes(), 0o644)
                console.changed(f"wrote {path}: it offers the stand-ins of this sandbox")
