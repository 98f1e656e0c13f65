"""The rules about one node: each a function from its facts and the configuration to findings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from dlws.check import foreign, places
from dlws.check.facts import Device, Disk, Facts
from dlws.check.findings import Finding
from dlws.core.program import PROGRAM

if TYPE_CHECKING:
    from dlws.config import Config, Machine

GIB = 1 << 20
"""In KiB."""

RELEASES = {"ubuntu": (18.04, 26.04), "debian": (12.0, 13.0)}
DISK_FAILS, DISK_WARNS = 5 * GIB, 20 * GIB
INODES_WARN = 50_000
# What kubeadm asks of an infra node, in KiB; a worker below it has no room for pods.
MEMORY, CORES = 1700 << 10, 2

Rule = Callable[[Facts, "Config"], list[Finding]]


def failure(facts: Facts, what: str, cure: str) -> list[Finding]:
    return [Finding("failure", facts.node, what, cure)]


def warning(facts: Facts, what: str, cure: str) -> list[Finding]:
    return [Finding("warning", facts.node, what, cure)]


def _machine(facts: Facts, config: Config) -> Machine:
    return config.machines[facts.node]


def ssh(facts: Facts, config: Config) -> list[Finding]:
    """It can be reached and logged in to, and answers to the end."""
    if facts.error:
        return failure(facts, facts.error, facts.cure)
    if not facts.complete:
        return failure(
            facts,
            "its answer broke off: not all of it could be checked",
            f"see what hangs or fails there: {PROGRAM} connect NODE",
        )
    return []


def sudo(facts: Facts, config: Config) -> list[Finding]:
    """The login user may become root."""
    if not facts.sudo_error:
        return []
    own = "set ssh.sudo_password in config.yaml (or that machine's own)"
    cure = f"{own}, or run: {PROGRAM} sshkey install"
    return failure(facts, facts.sudo_error, facts.cure or cure)


def system(facts: Facts, config: Config) -> list[Finding]:
    """Its operating system is one that the scripts know, and the one that config.yaml says."""
    if not facts.os_id:
        return []
    known = {facts.os_id, *facts.os_like.split()} & set(RELEASES)
    supported = "install Ubuntu 18.04 to 26.04 or Debian 12 or 13"
    if not known:
        return failure(facts, f"it runs {facts.os_name or facts.os_id}", supported)
    machine = _machine(facts, config)
    # The default says nothing: only an `os` that somebody wrote can be wrong.
    if "os" in machine.model_fields_set and machine.os.lower() != facts.os_id:
        cure = f"correct os of this machine in config.yaml: {facts.os_id}"
        return failure(facts, f"it runs {facts.os_id}, config.yaml says {machine.os}", cure)
    if not facts.systemd:
        return failure(facts, "process 1 is not systemd", "boot the node with systemd")
    if not _known_release(facts):
        return warning(facts, f"{facts.os_name} was never tried", supported)
    return []


def _known_release(facts: Facts) -> bool:
    if facts.os_id not in RELEASES:
        return True  # a relative of them has numbers of its own
    oldest, newest = RELEASES[facts.os_id]
    match = re.match(r"\d+(\.\d+)?", facts.os_version)
    return bool(match and oldest <= float(match[0]) <= newest)


def architecture(facts: Facts, config: Config) -> list[Finding]:
    """Its architecture is the one that config.yaml says: images and packages follow it."""
    wanted = _machine(facts, config).archtype
    if facts.architecture in ("", wanted):
        return []
    cure = f"correct archtype of this machine in config.yaml: {facts.architecture}"
    return failure(facts, f"it is {facts.architecture}, config.yaml says {wanted}", cure)


def hostname(facts: Facts, config: Config) -> list[Finding]:
    """It calls itself what config.yaml calls it."""
    machine = _machine(facts, config)
    if facts.hostname.lower() in ("", machine.name.lower(), machine.fqdn.lower()):
        return []
    cure = f"{PROGRAM} --nodes {machine.name} runscriptonall scripts/hostname.sh"
    return warning(facts, f"it calls itself {facts.hostname}", cure)


def address(facts: Facts, config: Config) -> list[Finding]:
    """It has the address by which the other nodes will know it."""
    wanted = _machine(facts, config).private_ip
    if not wanted or not facts.addresses or str(wanted) in facts.addresses:
        return []
    cure = "correct private-ip in config.yaml: Kubernetes needs an address of an interface"
    return failure(facts, f"no interface of it has the address {wanted}", cure)


def disk(facts: Facts, config: Config) -> list[Finding]:
    """Images, pods and etcd have room."""
    found = [finding for one in facts.disks for finding in _space(facts, one)]
    for one in facts.inodes:
        if one.free < INODES_WARN:
            what = f"{one.mount} has {one.free} inodes left"
            found += warning(facts, what, f"remove small files below {one.mount}")
    return found


def _space(facts: Facts, one: Disk) -> list[Finding]:
    if one.free >= DISK_WARNS:
        return []
    what = f"{one.mount} has {one.free / GIB:.1f} GiB left"
    if one.free < DISK_FAILS:
        return failure(facts, what, f"free {DISK_FAILS // GIB} GiB or enlarge {one.mount}")
    return warning(facts, what, f"{DISK_WARNS // GIB} GiB and more keep images from being removed")


def memory(facts: Facts, config: Config) -> list[Finding]:
    """kubeadm refuses an infra node with less than 1,700 MiB."""
    if facts.memory is None or facts.memory >= MEMORY:
        return []
    what = f"{facts.memory >> 10} MiB of memory"
    return _small(facts, config, "Mem", what, f"give it {MEMORY >> 10} MiB")


def cores(facts: Facts, config: Config) -> list[Finding]:
    """kubeadm refuses an infra node with one core."""
    if facts.cores is None or facts.cores >= CORES:
        return []
    return _small(facts, config, "NumCPU", f"{facts.cores} core", f"give it {CORES} cores")


def _small(facts: Facts, config: Config, preflight: str, what: str, cure: str) -> list[Finding]:
    ignored = {word.lower() for word in config.kubernetes.ignore_preflight_errors}
    infra = _machine(facts, config).is_infra
    if infra and not ignored & {preflight.lower(), "all"}:
        return failure(facts, what, cure)
    return warning(facts, what, cure)


def swap(facts: Facts, config: Config) -> list[Finding]:
    """Kubelet does not start with swap in use, unless it is told that it may."""
    if facts.container or not facts.swap or config.kubernetes.kubelet.get("failSwapOn") is False:
        return []
    what = f"swap is in use: {', '.join(facts.swap)}"
    return warning(facts, what, "scripts/prepare_ubuntu.sh turns it off")


def modules(facts: Facts, config: Config) -> list[Finding]:
    """The kernel can do what containers and their network need."""
    missing = [name for name, state in facts.modules.items() if state == "missing"]
    if facts.container or not missing:
        return []
    cure = "boot the distribution's own kernel, or install its package of further modules"
    level = failure if "overlay" in missing else warning
    return level(facts, f"kernel {facts.kernel} has no {', '.join(missing)}", cure)


def nvidia(facts: Facts, config: Config) -> list[Finding]:
    """NVIDIA GPUs are there if config.yaml says so, with a driver that is new enough."""
    cure = (
        f"install a driver of {facts.nvidia.minimum} or newer, or let "
        "scripts/prepare_ubuntu.sh --driver do it"
    )
    found = _device(facts, config, ("gpu", "nvidia"), facts.nvidia, cure)
    if facts.nvidia.found and not facts.nvidia.driver:
        if facts.secure_boot:
            found += warning(
                facts,
                "Secure Boot is on: a driver that is built on the node will not load",
                "turn Secure Boot off in the firmware, or install a signed driver",
            )
        if facts.nouveau:
            what = "nouveau is loaded: the NVIDIA driver cannot take the GPUs"
            found += warning(facts, what, "scripts/prepare_ubuntu.sh blacklists it and reboots")
    return found


def huawei(facts: Facts, config: Config) -> list[Finding]:
    """Huawei NPUs are there if config.yaml says so, with a driver that is new enough."""
    cure = f"install the Ascend driver and firmware of {facts.huawei.minimum} or newer and reboot"
    found = _device(facts, config, ("npu", "huawei"), facts.huawei, cure)
    if facts.huawei.found and not facts.ascend_runtime:
        what = "it has no Ascend Docker Runtime: containers would see no NPU"
        found += failure(facts, what, "install Huawei's Ascend-docker-runtime package")
    return found


def _device(
    facts: Facts, config: Config, kind: tuple[str, str], device: Device, cure: str
) -> list[Finding]:
    type, vendor = kind
    machine = _machine(facts, config)
    wanted = machine.type == type and (machine.vendor or vendor).lower() == vendor
    name = f"{vendor.upper() if vendor == 'nvidia' else vendor.title()} {type.upper()}"
    if not device.found:
        if not wanted or not facts.complete or facts.container:
            return []
        fix = "correct type and vendor in config.yaml, or look at the hardware: lspci"
        return failure(facts, f"config.yaml says it has a {name}, and it has none", fix)
    if not device.driver:
        return failure(facts, f"it has a {name} and no driver for it", cure)
    if device.enough is False:
        what = f"the {name} driver {device.driver} is older than {device.minimum}"
        return failure(facts, what, cure)
    if not wanted:
        what = f"it has {len(device.found)} {name}, and config.yaml does not say so"
        return warning(facts, what, f"set type: {type} and vendor: {vendor} in config.yaml")
    return []


def mirrors(facts: Facts, config: Config) -> list[Finding]:
    """Packages can be fetched, where the nodes fetch them."""
    if config.kubernetes.source != "packages":
        return []
    found = []
    for source, status in facts.mirrors.items():
        if not re.match(r"HTTP/\S+ [23]", status):
            what = f"apt source {source}: {status or 'no answer'}"
            cure = "correct the node's apt sources, or set apt_mirror_url in config.yaml"
            found += failure(facts, what, cure)
    return found


def registries(facts: Facts, config: Config) -> list[Finding]:
    """Registries and HTTPS mirrors accept connections, where the nodes fetch from them."""
    if config.kubernetes.source != "packages":
        return []
    found = []
    for (host, port), verdict in facts.hosts.items():
        if verdict == "open":
            continue
        what = f"{host}:{port} cannot be reached: {words(verdict)}"
        if facts.proxy:
            found += warning(facts, what, "a proxy is set there, which may reach it: try a pull")
        else:
            cure = "open the way there, use a mirror, or set kubernetes.source: bundle"
            found += failure(facts, what, cure)
    return found


def words(verdict: str) -> str:
    """A verdict of facts.sh in words."""
    known = {
        "silent": "no answer",
        "unknown-name": "the name has no address",
        "refused": "connection refused",
    }
    return known.get(verdict, verdict.removeprefix("blocked ").lower())


def container(facts: Facts, config: Config) -> list[Finding]:
    """Says what a container cannot show of the machine around it."""
    if not facts.container:
        return []
    what = (
        f"a {facts.container} container: kernel modules, swap, Secure Boot and devices are the "
        "machine's; its memory, cores and clock are shared"
    )
    return [Finding("unknown", facts.node, what, "check the machine around it by hand")]


def stand_ins(facts: Facts, config: Config) -> list[Finding]:
    """Says which devices a node of the sandbox has instead of GPUs and NPUs."""
    found = []
    for words, device in (("NVIDIA GPU", facts.nvidia), ("Huawei NPU", facts.huawei)):
        if number := len(device.stand_ins):
            many = "stand-in" if number == 1 else "stand-ins"
            what = f"it has {number} {many} of the sandbox for {words}s, which need no driver"
            cure = "check devices and drivers on the real machine"
            found.append(Finding("unknown", facts.node, what, cure))
    return found


RULES: tuple[Rule, ...] = (
    *(ssh, sudo, system, architecture, hostname, address, disk, memory, cores, swap, modules),
    *(nvidia, huawei, mirrors, registries, container, stand_ins),
    *(foreign.networks, foreign.cni, foreign.listeners, foreign.hosts, foreign.resolver),
    *(places.writable, places.executable, places.quota, places.packages),
)
_KUBERNETES = (
    *(memory, cores, swap, modules, registries),
    *(foreign.networks, foreign.cni, foreign.listeners),
)


def alone(facts: Facts, config: Config) -> list[Finding]:
    """What the rules find about a node; of one that was not reached, only that."""
    member = _machine(facts, config).in_cluster
    chosen = [rule for rule in RULES if member or rule not in _KUBERNETES]
    return [
        Finding(one.level, one.node, one.what, one.cure, rule.__name__)
        for rule in (chosen if facts.reached else [ssh])
        for one in rule(facts, config)
    ]
