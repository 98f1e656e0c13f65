"""Devices as metrics, read when Prometheus asks: the names are those of the predecessor's pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobplatform.exporter import npu, owners
from jobplatform.exporter.device import Device, Silent
from jobplatform.exporter.nvidia import Smi

NPU, LOGS, PROC = Path("/var/log/npu/npu_smi"), Path("/var/log/pods"), Path("/proc")
_LOG = logging.getLogger("jobplatform")
_WHAT: Mapping[str, tuple[str, Callable[[Device], float | None]]] = {
    "utilization": ("Percent of the time in which the device computed.", lambda one: one.use),
    "memory": ("Percent of the device's memory that is in use.", lambda one: one.memory),
    "temperature": ("Degrees Celsius.", lambda one: one.temperature),
}
_NAMES = {
    "nvidia-smi": {"utilization": "nvidiasmi_utilization_gpu",
                   "memory": "nvidiasmi_utilization_memory",
                   "temperature": "nvidiasmi_temperature"},
    "npu-smi": {"utilization": "npu_utilization", "memory": "npu_memory_utilization",
                "temperature": "npu_temperature"},
}  # fmt: skip


class Exporter(Collector):
    """What the devices of one node do, and which pods' processes are on them."""

    def __init__(self, smi: Smi, place: Path = NPU, logs: Path = LOGS, proc: Path = PROC) -> None:
        self.smi, self.place, self.logs, self.proc = smi, place, logs, proc

    def collect(self) -> Iterator[GaugeMetricFamily]:
        told = GaugeMetricFamily(
            "dlws_devices_told", "Whether what the devices do could be read.", labels=["reader"]
        )
        everything = list[Device]()
        for reader, devices in self._readers().items():
            try:
                found = devices()
            except (OSError, Silent) as error:
                _LOG.warning("%s: %s", reader, error)
                told.add_metric([reader], 0)
                continue
            if found:
                told.add_metric([reader], 1)
                everything += found
                yield from _families(reader, found)
        yield self._of_pods(everything)
        yield told

    def _readers(self) -> Mapping[str, Callable[[], list[Device]]]:
        return {"nvidia-smi": self.smi.devices, "npu-smi": lambda: npu.devices(self.place)}

    def _of_pods(self, devices: Iterable[Device]) -> GaugeMetricFamily:
        """Each pod has the use of a device once, however many processes it has there."""
        made = GaugeMetricFamily(
            "task_gpu_percent", "Use of a device on which a pod has processes, in percent.",
            labels=["namespace", "pod_name", "minor_number"],
        )  # fmt: skip
        known = owners.known(self.logs)
        for one in devices:
            uids = {owners.uid(process, self.proc) for process in one.processes}
            for pod in sorted(known[found] for found in uids & known.keys()):
                if one.use is not None:
                    made.add_metric([*pod, one.number], one.use)
        return made


def _families(reader: str, devices: Iterable[Device]) -> Iterator[GaugeMetricFamily]:
    for what, (words, value) in _WHAT.items():
        made = GaugeMetricFamily(_NAMES[reader][what], words, labels=["minor_number"])
        for one in devices:
            found = value(one)
            if found is not None:
                made.add_metric([one.number], found)
        yield made
    errors = GaugeMetricFamily(
        "nvidiasmi_ecc_error_count", "Errors of the memory that could not be corrected.",
        labels=["minor_number", "type"],
    )  # fmt: skip
    for one in devices:
        if one.errors is not None:
            errors.add_metric([one.number, "volatile_double"], one.errors)
    if errors.samples:
        yield errors
