"""The built-in table of service labels: which nodes carry which label."""

from __future__ import annotations

import re

_TABLE = {
    "etcd_node": "infrastructure zookeeper journalnode",
    "etcd_node_1": (
        "webportal restfulapi jobmanager repairmanager grafana prometheus alert-manager watchdog "
        "kibana mysql user-synchronizer job-insighter namenode1 dashboard "
        "webui3 restfulapi2 jobmanager2 repairmanager2 custom-user-dashboard"
    ),
    "etcd_node_2": "namenode2",
    "worker_node": "worker glusterfs hdfs a910-device-plugin",
    "elasticsearch_node": "elasticsearch",
    "mysqlserver_node": "mysql-server",
    "nfs_node": "storagemanager",
    "all": "all default datanode nginx FragmentGPUJob",
}
KUBELABELS = {label: nodes for nodes, labels in _TABLE.items() for label in labels.split()}
NODE_TYPES = (
    "etcd_node",
    "worker_node",
    "elasticsearch_node",
    "mysqlserver_node",
    "nfs_node",
    "samba_node",
    "all",
)

_PREFIX, _WORD = r"([a-z0-9.-]{1,253}/)?", r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"


def is_label_name(text: str) -> bool:
    """Whether Kubernetes takes this as the name of a label."""
    return re.fullmatch(_PREFIX + _WORD, text) is not None


def is_label_value(text: str) -> bool:
    return re.fullmatch(f"({_WORD})?", text) is not None


def like(text: str) -> str:
    """What Kubernetes would take that is most like it; nothing where none of it may stay."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:63].strip("-_.")
