"""The container runtime's configuration: what a node has, with the cluster's needs merged in."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tomli_w

from dlws.config.model.machines import MAKERS
from dlws.config.registry import registry_of
from dlws.core.errors import DeployError, UsageError
from dlws.core.merge import merged
from dlws.core.program import PROGRAM
from dlws.core.text import split_lines
from dlws.shell.files import File
from dlws.shell.quoting import chain, script, sh

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from dlws.config import Config, Machine
    from dlws.core.connection import Result
    from dlws.nodes.node import Node

Tree = dict[str, Any]

PATHS = {"containerd": "/etc/containerd/config.toml", "docker": "/etc/docker/daemon.json"}
_DAEMONS = {"containerd": "containerd", "docker": "dockerd"}
_REGISTRIES = "/etc/containerd/certs.d"

# containerd 1.x has one plugin for Kubernetes; 2.x (configuration version 3) split it in two.
CRI = "io.containerd.grpc.v1.cri"
CRI_RUNTIME = "io.containerd.cri.v1.runtime"
CRI_IMAGES = "io.containerd.cri.v1.images"
_SERVER_KEYS = ("disable_tcp_service", "enable_tls_streaming", "x509_key_pair_streaming")
_IMAGE_KEYS = (
    "discard_unpacked_layers",
    "image_decryption",
    "image_pull_progress_timeout",
    "image_pull_with_sync_fs",
    "max_concurrent_downloads",
    "registry",
    "stats_collect_period",
)

# The pause image of each kubeadm release, by the first minor release that has it.
_PAUSE = {34: "3.10.1", 31: "3.10", 26: "3.9", 25: "3.8", 24: "3.7", 23: "3.6", 22: "3.5"}
_PAUSE |= {21: "3.4.1", 0: "3.2"}

# Prints what `configure` has to know, then the present configuration as it is.
_READ = script(
    """PATH=$PATH:/usr/sbin:/sbin path=$1 daemon=$2 device=$3
command -v "$daemon" >/dev/null || exit 127
has() { if "$@"; then echo yes; else echo no; fi; }
finds() { [ -z "$1" ] || command -v "$1" >/dev/null; }
echo "present=$(has test -e "$path")"
echo "mode=$(stat -Lc %a "$path" 2>/dev/null)"
echo "device=$(has finds "$device")"
echo "kept=$(has test -e "$path.dlws-before")"
echo "restart=$(has test -e "$4")"
echo "stand_ins=$(has test -e /etc/dlws/stand-in-devices)"
echo
if [ -e "$path" ]; then cat "$path"
elif [ "$daemon" = containerd ]; then containerd config default; fi"""
)


@dataclass(frozen=True)
class Device:
    """What gives containers the GPUs or NPUs of a node."""

    name: str
    binary: str
    words: str


NVIDIA = Device("nvidia", "/usr/bin/nvidia-container-runtime", "GPUs")
ASCEND = Device("ascend", "/usr/local/Ascend/Ascend-Docker-Runtime/ascend-docker-runtime", "NPUs")


@dataclass(frozen=True)
class Present:
    """A node's configuration as it was read."""

    text: bytes
    present: bool
    mode: int
    device: bool
    kept: bool
    restart: bool
    stand_ins: bool = False


def device(machine: Machine) -> Device | None:
    """The runtime for the devices that a machine has according to the configuration."""
    makers = {("gpu", "nvidia"): NVIDIA, ("npu", "huawei"): ASCEND}
    default = MAKERS.get(machine.type, "")
    return makers.get((machine.type, machine.vendor.lower() or default))


def _table(tree: Any, *path: str) -> Tree:
    """The table at a path; an empty one where there is none, or something else."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return dict(tree) if isinstance(tree, Mapping) else {}


def containerd_settings(config: Config, chosen: Device | None = None) -> Tree:
    """What the cluster needs of containerd, in the words of configuration version 2."""
    options = {"SystemdCgroup": _cgroup_driver(config) == "systemd"}
    runtimes: Tree = {"runc": {"runtime_type": "io.containerd.runc.v2", "options": options}}
    containerd: Tree = {"runtimes": runtimes}
    if chosen:
        runtimes[chosen.name] = {
            "runtime_type": "io.containerd.runc.v2",
            "options": {"BinaryName": chosen.binary, **options},
        }
        containerd["default_runtime_name"] = chosen.name
    settings = {
        "containerd": containerd,
        "sandbox_image": sandbox_image(config),
        "cni": {"bin_dir": "/opt/cni/bin", "conf_dir": "/etc/cni/net.d"},
        "registry": {"config_path": _REGISTRIES},
    }
    return merged({"plugins": {CRI: settings}}, config.containerd)


def docker_settings(config: Config, chosen: Device | None = None) -> Tree:
    """What the cluster needs of Docker's daemon.json."""
    settings: Tree = {
        "exec-opts": [f"native.cgroupdriver={_cgroup_driver(config)}"],
        "log-driver": "json-file",
        "log-opts": {"max-size": "100m", "max-file": "3"},
    }
    if mirrors := hub_mirrors(config):
        settings["registry-mirrors"] = mirrors
    if chosen:
        settings["default-runtime"] = chosen.name
        settings["runtimes"] = {chosen.name: {"path": chosen.binary, "runtimeArgs": []}}
    return merged(settings, config.docker_daemon)


def hub_mirrors(config: Config) -> list[str]:
    """The addresses of our own mirror of Docker Hub: Docker knows mirrors of no other registry."""
    found = registry_of(config, {})
    mirrors = found.mirrors if found else ()
    return [f"https://{found.mirror_place(m)}" for m in mirrors if found and m.name == "docker.io"]


def containerd_config(old: Tree, settings: Tree) -> Tree:
    """containerd's configuration with the settings in it, in the version that it is written in."""
    base = dict(old)
    version = base.get("version", 2 if not base.get("plugins") else 1)
    if version not in (2, 3, 4):
        raise DeployError(
            f"it is written in version {version} of containerd's configuration",
            "move the file away on the node, so that containerd's defaults take its place",
        )
    base["version"] = version
    # Docker's own containerd package comes with Kubernetes' plugin turned off.
    if isinstance(off := base.get("disabled_plugins"), list):
        needed = {"cri", CRI, CRI_RUNTIME, CRI_IMAGES}
        base["disabled_plugins"] = [name for name in off if name not in needed]
    wanted = settings if version == 2 else for_version_3(settings)
    return merged(base, _fitting(base, wanted))


def for_version_3(settings: Tree) -> Tree:
    """Settings in the words of version 2, in those of version 3. What is in them already stays."""
    plugins = _table(settings, "plugins")
    cri = _table(plugins, CRI)
    if not cri:
        return settings
    images = {key: cri[key] for key in _IMAGE_KEYS if key in cri}
    server = {key: cri[key] for key in cri if key.startswith("stream_") or key in _SERVER_KEYS}
    containerd = _table(cri, "containerd")
    for key in ("snapshotter", "disable_snapshot_annotations"):
        if key in containerd:
            images[key] = containerd.pop(key)
    if "sandbox_image" in cri:
        images["pinned_images"] = {"sandbox": cri["sandbox_image"]}
    moved = {"sandbox_image", "containerd", *images, *server}
    runtime = {key: value for key, value in cri.items() if key not in moved}
    if containerd:
        runtime["containerd"] = containerd
    parts = {CRI: server, CRI_RUNTIME: runtime, CRI_IMAGES: images}
    split = {name: part for name, part in parts.items() if part}
    return {**settings, "plugins": merged(split, _without(plugins, CRI))}


def _fitting(old: Tree, wanted: Tree) -> Tree:
    """The settings without those that the file says in another way: both would be an error."""
    fitting = merged({}, wanted)
    for name in (CRI, CRI_RUNTIME, CRI_IMAGES):
        has, wants = _table(old, "plugins", name), _table(wanted, "plugins", name)
        registry = _table(has, "registry")
        ours = _table(wants, "registry").get("config_path") == _REGISTRIES
        if registry.get("mirrors") or registry.get("configs"):
            wants["registry"] = _without(_table(wants, "registry"), "config_path")
        elif ours and registry.get("config_path"):
            wants["registry"] = merged(wants["registry"], {"config_path": registry["config_path"]})
        if "bin_dirs" in _table(has, "cni"):
            wants["cni"] = _without(_table(wants, "cni"), "bin_dir")
        if wants:
            fitting["plugins"] = {**fitting["plugins"], name: wants}
    return fitting


def docker_config(old: Tree, settings: Tree) -> Tree:
    """daemon.json with the settings in it. Options that are not about cgroups stay."""
    ours = settings.get("exec-opts", [])
    theirs = old.get("exec-opts", [])
    if not isinstance(theirs, list):
        raise DeployError("exec-opts in it is not a list", "correct it on that node")
    names = {str(option).partition("=")[0] for option in ours}
    others = [option for option in theirs if str(option).partition("=")[0] not in names]
    made = {**merged(old, settings), "exec-opts": [*others, *ours]}
    mirrors, kept = settings.get("registry-mirrors", []), old.get("registry-mirrors")
    if mirrors and isinstance(kept, list):
        made["registry-mirrors"] = list(dict.fromkeys([*mirrors, *kept]))
    return made


def _without(table: Tree, name: str) -> Tree:
    return {key: value for key, value in table.items() if key != name}


def sandbox_image(config: Config) -> str:
    """The pause image that this release of kubeadm expects."""
    version = config.kubernetes.version
    tag = next(tag for first, tag in sorted(_PAUSE.items(), reverse=True) if version.minor >= first)
    return f"{config.kubernetes.image_repository or version.registry}/pause:{tag}"


def parse(kind: str, content: bytes) -> Tree:
    """A configuration file as a tree. Raises ValueError if it is none."""
    text = content.decode()
    if not text.strip():
        return {}
    tree = tomllib.loads(text) if kind == "containerd" else json.loads(text)
    if not isinstance(tree, dict):
        raise ValueError("it is not a table of settings")
    if _deeper(tree, _DEEPEST):
        raise ValueError(f"its tables are nested more than {_DEEPEST} deep")
    return tree


_DEEPEST = 50


def _deeper(tree: object, levels: int) -> bool:
    """Whether tables or lists are nested deeper than so many levels."""
    level: list[object] = [tree]
    for _ in range(levels):
        level = [child for one in level for child in _children(one)]
    return bool(level)


def _children(tree: object) -> Iterable[object]:
    return tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()


def format(kind: str, tree: Tree) -> bytes:
    """A tree as a configuration file."""
    try:
        if kind == "containerd":
            return tomli_w.dumps(tree).encode()
        return (json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        key = "containerd" if kind == "containerd" else "docker_daemon"
        raise UsageError(
            f"{PATHS[kind]} cannot hold what {key} in config.yaml says: {error}",
            f"give {key} only text, numbers, true, false, lists and tables",
        ) from error


def configure(node: Node, config: Config) -> bool:
    """Give a node's runtime what the cluster needs; restart it only if that changed something."""
    kind, chosen = config.runtime, device(node.machine)
    seen = parse_present(kind, node.name, node.read(question(config, node), sudo=True, check=False))
    if chosen and not seen.device:
        if not seen.stand_ins:
            missing = f"{chosen.binary} is missing: containers get no {chosen.words} on this node"
            node.say(missing)
        chosen = None
    old, new = _merged(node.name, kind, seen.text, config, chosen)
    if old == new and seen.present and not seen.restart:
        return False
    if old != new or not seen.present:
        node.put_tree(_files(kind, new, seen))
    line = chain(sh("systemctl", "restart", kind), sh("rm", "-f", _marker(kind)))
    node.run(line, sudo=True, title=f"restart {kind} with its new configuration")
    return True


def _files(kind: str, new: Tree, seen: Present) -> list[File]:
    """The new file, the old one once, and a marker that outlives a failed restart."""
    path = PATHS[kind]
    files = [File(_marker(kind), b""), File(path, format(kind, new), seen.mode)]
    if seen.present and not seen.kept:
        files.insert(0, File(f"{path}.dlws-before", seen.text, seen.mode))
    return files


def _marker(kind: str) -> str:
    return f"/var/lib/dlws/restart-{kind}"


def question(config: Config, node: Node) -> str:
    """The command that prints what parse_present() reads; it changes nothing."""
    kind, chosen = config.runtime, device(node.machine)
    words = (PATHS[kind], _DAEMONS[kind], chosen.binary if chosen else "", _marker(kind))
    return f"{_READ} {sh(*words)}"


def differing(config: Config, node: Node, result: Result) -> list[tuple[str, ...]]:
    """The settings that are not as they should be, by their keys in the file; () is the file."""
    kind, chosen = config.runtime, device(node.machine)
    seen = parse_present(kind, node.name, result)
    old, new = _merged(node.name, kind, seen.text, config, chosen if seen.device else None)
    return leaves(old, new) if seen.present else [()]


def leaves(old: Any, new: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths at which two trees differ, as deep as both have tables."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return [] if old == new else [path]
    keys = dict.fromkeys([*new, *old])
    return [leaf for key in keys for leaf in leaves(old.get(key), new.get(key), (*path, key))]


def parse_present(kind: str, name: str, result: Result) -> Present:
    if result.code == 127:
        raise DeployError(
            f"{kind} is not installed on {name}",
            f"{PROGRAM} --nodes {name} runscriptonall scripts/prepare_ubuntu.sh",
        )
    if not result.ok:
        raise DeployError(
            f"{PATHS[kind]} on {name} cannot be read: {result.complaint}",
            f"{PROGRAM} connect {name}",
        )
    head, _, text = result.out.partition(b"\n\n")
    rows = [line.partition("=") for line in split_lines(head.decode(errors="replace"))]
    facts = {key: value for key, _, value in rows}
    mode = facts.get("mode") or "644"
    names = ("present", "device", "kept", "restart")
    if not {"mode", *names} <= set(facts) or not re.fullmatch("[0-7]{1,4}", mode):
        raise DeployError(f"{PATHS[kind]} on {name} cannot be read: {head[:200]!r}")
    present, has_device, kept, restart = (facts[name] == "yes" for name in names)
    stand_ins = facts.get("stand_ins") == "yes"
    return Present(text, present, int(mode, 8), has_device, kept, restart, stand_ins)


def _merged(
    name: str, kind: str, content: bytes, config: Config, chosen: Device | None
) -> tuple[Tree, Tree]:
    """What the node's file says, and what it shall say."""
    where = f"{PATHS[kind]} on {name}"
    try:
        old = parse(kind, content)
    except (ValueError, RecursionError) as error:
        cure = "correct it, or move it away, on that node, then run this again"
        raise DeployError(f"{where} is not valid: {error}; nothing was changed", cure) from error
    try:
        if kind == "docker":
            return old, docker_config(old, docker_settings(config, chosen))
        return old, containerd_config(old, containerd_settings(config, chosen))
    except DeployError as error:
        raise DeployError(f"{where}: {error.message}; nothing was changed", error.cure) from error


def _cgroup_driver(config: Config) -> str:
    return str(config.kubernetes.kubelet.get("cgroupDriver", "systemd"))
