"""The config.yaml of a sandbox: written for people, or derived from one that is rehearsed."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

from dlws.core.architecture import architecture
from dlws.core.errors import UsageError
from dlws.core.merge import merged
from dlws.core.version import Version
from dlws.sandbox.state import Sandbox, SandboxNode

POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
RUNC = "/usr/local/sbin/dlws-sandbox-runc"
"""Every node's runc for Docker: containerd has a setting for what it does."""

SHARES = "/var/lib/dlws/stand-in-shares"
"""What all nodes have in common, for shares that they cannot mount (see supervise.sh)."""

ELSEWHERE = ("apt_mirror_url", "dns_server", "dockerregistry", "k8s-gitbranch")
"""What somebody's configuration says about their site, and the nodes have from this machine. Images
of a rehearsal go to its own registry, and not where a cluster that is in use has its."""

_LEFT_OUT = {
    "dockers": ("hub",),
    "ssh": ("port", "jump_host", "public_port"),
    "network": ("container-network-iprange", "container_network_iprange"),
}
"""What is not said of a sandbox's nodes, or does nothing and would only be warned of."""

PASSWORD = "deploy/mysql/password"
"""The file with the database's password, below the cluster's directory."""

SERVICES = f"""\
# What `up` starts, on images of Debian's packages: the last three are the job platform, whose
# workers find each other by cluster-dns.
services: [mysql, nginx, prometheus, cluster-dns, restfulapi2, jobmanager2, webui3]
mysql_password: file:{PASSWORD}
"""

HEADER = """\
# The configuration of this sandbox: local nodes on this machine, made by `sandbox up`.
# It is an ordinary config.yaml; change what you like, it is never overwritten.
"""

KUBERNETES = f"""\
kubernetes:
  version: v1.20.2
  source: bundle # binaries and images from deploy/bundle, so that nodes need no Internet
  network: bridge # host routes between the nodes, nothing to download
  pod_cidr: {POD_RANGE}
  service_cidr: {SERVICE_RANGE}
  # From here on: what nodes need that share one machine's kernel and disk.
  kubelet:
    cgroupDriver: cgroupfs
    failSwapOn: false # swap is the machine's, and a node cannot switch it off
    imageGCHighThresholdPercent: 100 # all nodes see the one disk, however full
    volumeStatsAggPeriod: 10m # each time it starts three programs for each volume of each pod
    evictionHard:
      memory.available: 100Mi
      nodefs.available: 0%
      nodefs.inodesFree: 0%
      imagefs.available: 0%
  kube_proxy:
    conntrack:
      maxPerCore: 0 # the limit is the machine's: a node may not set it
    iptables:
      syncPeriod: 5m # what others did to its rules; its own changes do not wait for it
  skip_phases: [addon/coredns] # no image of it can be made from Debian's packages
  ignore_preflight_errors: # what a node cannot show of the machine's kernel
    - SystemVerification
    - NumCPU
    - Mem
    - Swap
    - FileContent--proc-sys-net-bridge-bridge-nf-call-iptables
    - ImagePull # kubeadm looks for the image of CoreDNS even where it is skipped
"""

CONTAINERD = """\
containerd: # merged into /etc/containerd/config.toml
  version: 2
  plugins:
    io.containerd.grpc.v1.cri:
      restrict_oom_score_adj: true # a node may not lower the score of its pods
      disable_apparmor: true
"""

DOCKER = f"""\
docker_daemon: # merged into /etc/docker/daemon.json, where container_runtime is docker
  default-runtime: sandbox-runc # a node may not lower the score of its pods
  runtimes:
    sandbox-runc:
      path: {RUNC}
"""


STAND_INS = f"""\
stand_in_shares: {SHARES} # nodes have it in common: for NFS, which this kernel may lack
"""


def storage(nodes: tuple[SandboxNode, ...]) -> str:
    """The default share: one file system on all nodes, of which the first two have copies."""
    if len(nodes) == 1:
        share = "    type: local\n    filesharename: /srv/share # of the one node\n"
    else:
        names = json.dumps(" ".join(node.name for node in nodes[:2]))
        share = f"    type: glusterfs\n    server: {names} # each has a whole copy\n"
        share += "    filesharename: share\n"
    return f'mountpoints:\n  share:\n{share}    mountpoints: "" # the default share: jobs use it\n'


def generated(sandbox: Sandbox) -> str:
    """A config.yaml for a sandbox of its own."""
    return (
        f"{HEADER}"
        "cluster_name: sandbox\n\n"
        "network:\n"
        f"  domain: {sandbox.domain}\n\n"
        "admin_username: dlwsadmin\n\n"
        f"machines:\n{machines(sandbox, sandbox.nodes)}\n"
        f"{storage(sandbox.nodes)}"
        f"{STAND_INS}\n"
        f"{KUBERNETES}\n"
        f"{CONTAINERD}\n"
        f"{DOCKER}\n"
        f"{SERVICES}"
        f"{people(sandbox.domain)}"
    )


def people(domain: str) -> str:
    """The first administrator; more people are added by `deploy.py user add`."""
    return (
        "UserGroups:\n"
        "  administrators:\n"
        f"    Allowed: [{json.dumps(f'admin@{domain}')}]\n"
        "    uid: 20001-20999\n"
        '    gid: "20001"\n'
        "WebUIadminGroups: [administrators]\n"
    )


def machines(sandbox: Sandbox, nodes: tuple[SandboxNode, ...]) -> str:
    """Entries of `machines`, ready to be pasted."""
    return "".join(
        f"  {scalar(node.name)}:\n"
        f"    role: {scalar(node.role)}\n"
        f"    private-ip: {sandbox.address(node)}\n"
        f"    archtype: {local_architecture()}\n"
        "    os: debian\n"
        for node in nodes
    )


def local_architecture() -> str:
    """This machine's architecture, which is that of its nodes, in the words of the config."""
    return architecture(platform.machine())


def scalar(text: str) -> str:
    """A word as YAML; quoted where YAML would take it for something else than text."""
    import yaml

    return text if yaml.safe_load(text) == text and ":" not in text else json.dumps(text)


def rehearsed(theirs: Mapping[str, Any], sandbox: Sandbox) -> str:
    """Somebody's configuration with the addresses and needs of sandbox nodes."""
    import yaml

    own = _runtime(theirs)
    for text in (KUBERNETES, CONTAINERD, DOCKER, STAND_INS):
        own |= yaml.safe_load(text)
    for theirs_too in ("pod_cidr", "service_cidr"):
        del own["kubernetes"][theirs_too]
    here = {key: value for key, value in theirs.items() if key not in ELSEWHERE}
    result = merged(here, own)
    addresses = {node.name: sandbox.address(node) for node in sandbox.nodes}
    for group in ("machines", "scale_up"):
        if isinstance(theirs.get(group), Mapping):
            result[group] = {
                name: _moved(machine, addresses[str(name)])
                for name, machine in theirs[group].items()
            }
    for section, left_out in _LEFT_OUT.items():
        if isinstance(result.get(section), Mapping):
            kept = {key: value for key, value in result[section].items() if key not in left_out}
            result[section] = kept
    text = yaml.safe_dump(result, sort_keys=False, allow_unicode=True)
    return f"{HEADER}# Names and roles are those of the configuration it rehearses.\n{text}"


def _runtime(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The runtime that their release has by default, where the sandbox's release has another."""
    section = theirs.get("kubernetes")
    given = section.get("version") if isinstance(section, Mapping) else None
    if "container_runtime" in theirs:
        return {}
    try:
        version = Version.parse(str(given or theirs["k8s-gitbranch"]))
    except (KeyError, UsageError):
        return {}
    return {"container_runtime": version.runtimes[0]}


def _moved(machine: Mapping[str, Any] | None, address: str) -> dict[str, Any]:
    """A machine's entry at its new address; how to reach the old one does not count any more."""
    elsewhere = ("private-ip", "private_ip", "public-ip", "port", "user", "jump_host", "host_key")
    kept = {key: value for key, value in (machine or {}).items() if key not in elsewhere}
    return {**kept, "private-ip": address, "archtype": local_architecture(), "os": "debian"}


def ranges(config: Mapping[str, Any]) -> list[IPv4Network]:
    """The networks that a configuration names, wherever it does: a sandbox must not meet them."""
    found: list[IPv4Network] = []
    for value in _leaves(config):
        if isinstance(value, str) and "/" in value:
            try:
                found.append(IPv4Network(value, strict=False))
            except ValueError:
                continue
    return [one for one in found if one.is_private and one.prefixlen >= 8]


def _leaves(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]
