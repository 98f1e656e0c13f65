from __future__ import annotations

from pathlib import Path


def modes(directory: Path) -> dict[str, int]:
    return {
        str(path.relative_to(directory)): path.stat().st_mode & 0o777
        for path in directory.rglob("*")
    }


TREE = r"""find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /var/log \
    -o -path /var/lib/systemd -o -path '/var/lib/containerd' \) -prune \
    -o -printf '%p %y %m %U:%G %s %T@ %i %l\n' | sort"""
