"""Devices of Huawei's, by the files that npu_info_gen keeps on a node: what npu-smi says."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from jobplatform.exporter.device import Device, Silent, number

_OLD = 300
"""Seconds: they are written every few seconds, unless npu-smi hangs."""
_USE = "Aicore Usage Rate(%)"


def devices(place: Path) -> list[Device]:
    """No device on a node without NPUs. Silent where a file is old: npu-smi hangs then."""
    found = list[Device]()
    for path in sorted(place.glob("device*")):
        card = re.fullmatch(r"device([0-9]+)", path.name)
        if card is None:
            continue
        if time.time() - path.stat().st_mtime > _OLD:
            raise Silent(f"{path} was not written for {_OLD} s")
        found += _chips(card[1], path.read_text(errors="replace"))
    return found


def _chips(card: str, text: str) -> Iterator[Device]:
    """The chips that compute; the first has its card's number. A board's own processor is none."""
    for chip in re.split(r"(?m)^(?=\s*Chip ID\s*:)", text):
        told = dict(_fields(chip))
        which = told.get("Chip ID", "0")
        use, memory = (number(told.get(one)) for one in (_USE, "HBM Usage Rate(%)"))
        if use is not None:
            if memory is None:
                memory = number(told.get("Memory Usage Rate(%)"))
            name = card if which == "0" else f"{card}-{which}"
            yield Device(name, use, memory, number(told.get("Temperature(C)")))


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, colon, value = line.partition(" : ")
        if colon:
            yield name.strip(), value.strip()
