from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Another machine's files: a Debian 12 without any devices."""
    machine = tmp_path / "a machine's root"
    for folder in ("etc/apt", "proc/sys/net/ipv4", "sys/bus/pci/devices", "usr/bin"):
        (machine / folder).mkdir(parents=True)
    (machine / "etc/os-release").write_text(
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME=bookworm\n'
    )
    (machine / "proc/swaps").write_text("Filename\tType\tSize\tUsed\tPriority\n")
    return machine
