"""Machines: how many of each role, their systems and names."""

from __future__ import annotations

from dlws.config.model.config import Config
from dlws.config.model.roles import INFRASTRUCTURE, ROLE_WORDS, WORKER
from dlws.config.problems import Path
from dlws.config.reading.sources import Sources

_SYSTEMS = ("ubuntu", "debian")
_GROUP_WORDS = {*ROLE_WORDS, "all", "gpu", "npu", "cpu", "storage"}


def has_infrastructure(config: Config, sources: Sources) -> None:
    if not config.machines and not config.azure_cluster:
        sources.warn(("machines",), "no machines are given", "List them under machines.", key=True)
    elif config.machines and not config.with_role(INFRASTRUCTURE):
        sources.error(
            ("machines",),
            "no machine has the role infrastructure",
            "Give one machine (or three) `role: infrastructure`.",
            key=True,
        )


def etcd(config: Config, sources: Sources) -> None:
    machines, wanted = len(config.with_role(INFRASTRUCTURE)), config.etcd_node_num
    number = wanted or machines
    where: Path = ("etcd_node_num",) if wanted else ("machines",)
    if number and number % 2 == 0:
        sources.error(
            where,
            f"{number} etcd nodes survive no more failures than {number - 1}: make it odd",
            f"Have {number - 1} or {number + 1} infrastructure machines.",
            key=not wanted,
        )
    elif wanted and machines and wanted != machines:
        sources.error(
            where,
            f"is {wanted}, but {machines} machines have the role infrastructure, where etcd runs",
            f"Write {machines}, or give {wanted} machines that role.",
        )


def workers(config: Config, sources: Sources) -> None:
    workers = len(config.with_role(WORKER))
    wanted = config.onpremise_cluster.worker_node_num
    if wanted is not None and config.machines and wanted != workers:
        sources.warn(
            ("onpremise_cluster", "worker_node_num"),
            f"is {wanted}, but {workers} machines have the role worker",
            f"Write {workers}, or leave it out: machines are counted.",
        )


def systems_and_names(config: Config, sources: Sources) -> None:
    for name, machine in config.machines.items():
        if machine.os.lower().split(" ")[0] not in _SYSTEMS:
            sources.warn(
                ("machines", name, "os"),
                f"{machine.os} is not a system that nodes are prepared for",
                "Use ubuntu or debian.",
            )
        if name in _GROUP_WORDS:
            sources.warn(
                ("machines", name),
                "the name is also the word for a group of nodes",
                "Rename the machine, such as to node-1.",
                key=True,
            )
