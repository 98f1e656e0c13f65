"""Devices of NVIDIA's, by `nvidia-smi -q -x`."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from jobplatform.exporter.device import Device, Silent, number

_DOUBLE = (
    "ecc_errors/volatile/double_bit/total",  # up to driver 440
    "ecc_errors/volatile/sram_uncorrectable", "ecc_errors/volatile/dram_uncorrectable",
    "ecc_errors/volatile/sram_uncorrectable_parity",  # from 545 on
    "ecc_errors/volatile/sram_uncorrectable_secded",
)  # fmt: skip


@dataclass
class Smi:
    """The program, which hangs where a device does: then not even SIGKILL ends it, and no second
    one is started beside it. `patience` in seconds."""

    program: str = "nvidia-smi"
    patience: float = 8
    stuck: subprocess.Popen[bytes] | None = None

    def devices(self) -> list[Device]:
        """No device on a node without the program. Silent where it does not tell."""
        path = shutil.which(self.program)
        if path is None:
            return []
        if self.stuck and self.stuck.poll() is None:
            raise Silent(f"{self.program} hangs")
        return read(self._said(path))

    def _said(self, path: str) -> bytes:
        running = subprocess.Popen(
            [path, "-q", "-x"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            said, _ = running.communicate(timeout=self.patience)
        except subprocess.TimeoutExpired:
            self.stuck = running
            running.kill()
            if running.stdout:
                running.stdout.close()
            raise Silent(f"{self.program} does not answer") from None
        if running.returncode:
            raise Silent(f"{self.program} ended with {running.returncode}")
        return said


def read(said: bytes) -> list[Device]:
    """The devices in what it says; Silent where that is something else."""
    try:
        found = ElementTree.fromstring(said)
    except ElementTree.ParseError as error:
        raise Silent(f"nvidia-smi says what cannot be read: {error}") from None
    return [_device(place, one) for place, one in enumerate(found.iterfind("gpu"))]


def _device(place: int, gpu: Element) -> Device:
    used, total = (number(gpu.findtext(f"fb_memory_usage/{one}")) for one in ("used", "total"))
    found = (number(gpu.findtext(one)) for one in _DOUBLE)
    errors = [one for one in found if one is not None]
    pids = (number(one.text) for one in gpu.iterfind("processes/process_info/pid"))
    return Device(
        (gpu.findtext("minor_number") or str(place)).strip(),
        number(gpu.findtext("utilization/gpu_util")),
        100 * used / total if used is not None and total else None,
        number(gpu.findtext("temperature/gpu_temp")),
        sum(errors) if errors else None,
        tuple(int(pid) for pid in pids if pid is not None),
    )
