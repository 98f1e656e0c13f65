"""Other spellings of keys, and keys of older configurations that nothing here reads."""

from __future__ import annotations

from pathlib import Path

# Flat keys of the older configurations → where the model has them.
MOVED: dict[str, tuple[str, ...]] = {
    "k8s-gitbranch": ("kubernetes", "version"),
    "k8sAPIport": ("kubernetes", "api_port"),
    "pod_ip_range": ("kubernetes", "pod_cidr"),
    "service_cluster_ip_range": ("kubernetes", "service_cidr"),
    "service-node-port-range": ("kubernetes", "node_port_range"),
    "kube-vip": ("kubernetes", "endpoint"),
    "network_domain": ("network", "domain"),
    "ssh_cert": ("ssh", "key"),
    "worker_node_num": ("onpremise_cluster", "worker_node_num"),
    "gpu_count_per_node": ("onpremise_cluster", "gpu_count_per_node"),
    "gpu_type": ("onpremise_cluster", "gpu_type"),
    "onpremise": ("onpremise_cluster",),
}

# Misspellings that real configurations carry; understood, with a warning.
MISSPELLED = {
    "dltsdata-atorage-mount-path": "dltsdata-storage-mount-path",
    "defalt_virtual_cluster_name": "default_virtual_cluster_name",
}

_LINES = Path(__file__).with_name("older-keys.txt").read_text(encoding="utf-8").splitlines()
_ROWS = [line.split() for line in _LINES if line and not line.startswith("#")]
OLD = {row[0]: row[1] for row in _ROWS}
"""Key → what it was about. Understood, so that an old configuration does not drown in warnings."""
