"""GPUs and NPUs: what is said of a machine's devices, in whatever key, must be true together."""

from __future__ import annotations

from collections.abc import Iterator

from dlws.config.model.config import Config
from dlws.config.model.machines import Machine
from dlws.config.model.roles import WORKER
from dlws.config.problems import closest
from dlws.config.reading.sources import Sources

MAKES = {"nvidia": "gpu", "huawei": "npu"}
_MAKERS = {kind: maker for maker, kind in MAKES.items()}
_NONE = ("", "none", "cpu")
"""What gpu-type says of a machine without devices."""

Finding = tuple[str, str, str]
"""Key, message and cure."""


def vendors(config: Config, sources: Sources) -> None:
    for name, machine in config.machines.items():
        if machine.type in _MAKERS and not machine.vendor:
            sources.warn(
                ("machines", name, "type"),
                f"{machine.type} without a vendor: the node gets no gpuType label",
                f"Add `vendor: {_MAKERS[machine.type]}`.",
            )
        made = MAKES.get(machine.vendor.lower(), "")
        if machine.type in _MAKERS and made and made != machine.type:
            sources.error(
                ("machines", name, "vendor"),
                f"{machine.vendor} makes {_many(made)}, and the type is {machine.type}",
                f"Write `type: {made}`, or `vendor: {_MAKERS[machine.type]}`.",
            )


def contradictions(config: Config, sources: Sources) -> None:
    """What a machine says of devices that its type has none of."""
    for name, machine in config.machines.items():
        typeless = not machine.type and sources.is_written(("machines", name, "type"))
        if machine.in_cluster and not typeless:  # a type that is wrong was reported
            for key, message, cure in (
                *_vendor(machine),
                *_label(machine),
                *_size(config, machine),
            ):
                sources.warn(("machines", name, key), message, cure)


def _vendor(machine: Machine) -> Iterator[Finding]:
    vendor, made = machine.vendor, MAKES.get(machine.vendor.lower(), "")
    if machine.type in _MAKERS:
        near = "" if made or not vendor else closest(vendor, MAKES)
        if near:
            yield "vendor", f"nothing knows how to use devices of {vendor}", f"Did you mean {near}?"
    elif made and machine.type:
        message = f"{vendor} makes {_many(made)}, and the type is {machine.type}: none is used"
        yield "vendor", message, f"Write `type: {made}`, or remove vendor."
    elif made:
        message = f"{vendor} makes {_many(made)}, but without a type none is used"
        yield "vendor", message, f"Add `type: {made}`."


def _label(machine: Machine) -> Iterator[Finding]:
    if machine.type in ("cpu", "storage") and machine.gpu_type.lower() not in _NONE:
        message = f"is {machine.gpu_type}, and the type is {machine.type}"
        yield "gpu-type", message, "Write `type: gpu` or `type: npu`, or remove gpu-type."


def _size(config: Config, machine: Machine) -> Iterator[Finding]:
    name = machine.node_group or machine.sku
    size = config.sku_mapping.get(name)
    if not size or size.gpu is None or not machine.type:
        return
    if size.gpu and machine.type not in _MAKERS:
        message = f"is {machine.type}, but its size {name} has {size.gpu} GPUs in sku_mapping"
        yield "type", message, "Write `type: gpu`, or correct the size."
    if not size.gpu and machine.type == "gpu":
        message = f"is gpu, but its size {name} has no GPU in sku_mapping"
        yield "type", message, "Write `type: cpu`, or correct the size."


def counts(config: Config, sources: Sources) -> None:
    """What onpremise_cluster says of all workers."""
    given, workers = config.onpremise_cluster, config.with_role(WORKER)
    with_devices = [machine for machine in workers if machine.type in _MAKERS]
    path = ("onpremise_cluster", "gpu_count_per_node")
    if given.gpu_count_per_node and workers and not with_devices:
        sources.warn(
            path,
            f"is {given.gpu_count_per_node}, but no worker has the type gpu or npu",
            "Give workers with devices `type: gpu` or `type: npu`, or write 0.",
        )
    if given.gpu_count_per_node == 0 and with_devices:
        first = with_devices[0]
        sources.warn(
            path,
            f"is 0, but {first.name} has the type {first.type}",
            "Write how many devices a worker has, or leave it out.",
        )
    _maker(config, with_devices, sources)


def _maker(config: Config, with_devices: list[Machine], sources: Sources) -> None:
    maker = config.onpremise_cluster.gpu_type
    vendors = sorted({machine.vendor.lower() for machine in with_devices} - {""})
    if maker.lower() in MAKES and vendors and maker.lower() not in vendors:
        sources.warn(
            ("onpremise_cluster", "gpu_type"),
            f"is {maker}, but the devices of the workers are of {', '.join(vendors)}",
            f"Write {vendors[0]}, or leave it out.",
        )


def _many(kind: str) -> str:
    return f"{kind.upper()}s"
