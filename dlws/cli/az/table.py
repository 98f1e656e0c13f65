"""The table of az_tools.py's commands: what the help and completion show without importing one."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "check": (
        "create",
        "Look for what would keep Azure from making the machines: quota, sizes, images, names",
    ),
    "create": (
        "create",
        "Make the machines, networks and addresses of the configuration that are not there yet",
    ),
    "wait": ("create", "Wait for the deployment that an earlier command began"),
    "addworkers": (
        "create",
        "Add NUMBER workers to those that are there (default: as many as the configuration says)",
    ),
    "scaleup": (
        "create",
        "Have NUMBER more workers of SIZE at work: those that rest are started, then new ones made",
    ),
    "genconfig": (
        "machines",
        "Write cluster.yaml from the machines that are there, for the installation on them",
    ),
    "list": ("machines", "List the machines: role, size, power state, price class, addresses"),
    "start": (
        "machines",
        "Start machines by NAME, role or pattern; those that run already are left alone",
    ),
    "stop": (
        "machines",
        "Stop machines by NAME, role or pattern; they are still paid for (see deallocate)",
    ),
    "deallocate": (
        "machines",
        "Stop machines by NAME, role or pattern and give them back; disks and addresses stay",
    ),
    "restart": ("machines", "Restart machines by NAME, role or pattern"),
    "reimage": ("machines", "Make the system disks of machines by NAME, role or pattern anew"),
    "removeworkers": (
        "machines",
        "Delete workers by NAME or pattern, with their disks, interfaces and addresses",
    ),
    "scaledown": ("machines", "Delete workers of SIZE by NAME or pattern, as removeworkers does"),
    "delete": (
        "machines",
        "Delete the resource group with all machines, disks and addresses of the cluster",
    ),
    "ssh": (
        "machines",
        "Open a shell on the machine NAME of cluster.yaml, at its public address if it has one",
    ),
    "vmss": (
        "vmss",
        "Workers that are one VM scale set (worker_scale_set: true); `create` makes it",
    ),
    "autoscale": (
        "autoscale",
        "Add workers while work waits, and give idle ones back (azure_cluster.autoscale)",
    ),
    "interconnect": (
        "firewall",
        "Let the machines reach each other's public addresses (inter_connect)",
    ),
    "whitelist": ("firewall", "Let further addresses in to the ports of users, and list them"),
    "service_tag_rules": (
        "firewall",
        "Let traffic in by Azure's service tags (service_tags)",
    ),
    "nfsallowmaster": (
        "firewall",
        "Let infra nodes reach the machines that serve files (nfs_allow_master)",
    ),
    "logging_storage": (
        "logs",
        "Make and delete a storage account for what jobs log, and keep the way in to it",
    ),
}
"""By name, in the order of the help: the module under dlws.cli.az, the help's first sentence."""
