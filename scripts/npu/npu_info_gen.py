#!/bin/sh
# dlws-files: dlws-npu-info.service
# dlws-needs: root
# fmt: off
''':'
# A shell reads these lines, Python does not: a node without NPUs needs no Python.
if [ $# = 0 ] && ! ls /dev/davinci[0-9]* >/dev/null 2>&1 && [ "${DLWS_TYPE:-}" != npu ]; then
    echo "this node has no NPU: nothing to do"
    exit 0
fi
if ! command -v python3 >/dev/null; then
    { apt-get -qq update && apt-get -qqy install python3-minimal; } >/dev/null || exit 1
fi
exec python3 "$0" "$@"
'''
# fmt: on

__doc__ = """Keeps what npu-smi says of a node's NPUs in /var/log/npu/npu_smi, for monitoring.

usage: npu_info_gen.py             makes it a service that is there after a reboot, too, and ends
       npu_info_gen.py --serve     what the service runs
       npu_info_gen.py --once      writes the files once

device_list is what `npu-smi info -m` says, and deviceN what `npu-smi info -t common -i N` says of
card N. Files are there whole. A sandbox's stand-ins are told in the same words, with their name.
Python 3.6 is enough: that of Ubuntu 18.04.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

PLACE = Path("/var/log/npu/npu_smi")
STAND_INS = Path("/etc/dlws/stand-in-devices")
UNIT = "dlws-npu-info.service"
PROGRAM = Path("/usr/local/lib/dlws/npu_info_gen.py")
SECONDS = 5
PATIENCE = 60
"""Seconds that npu-smi may take: it hangs where a card does."""


def cards(text):
    """The numbers of the cards in what `npu-smi info -m` says, each once, in its order.

    A row has the card, the chip on it, the chip's logic id (`-` for a board's own processor), with
    newer versions its physical id, and its name.
    """
    rows = [line.split() for line in text.splitlines()]
    return list(dict.fromkeys(int(r[0]) for r in rows if len(r) >= 4 and r[0].isdigit()))


def stand_ins(text):
    """The number of stand-ins for NPUs in the file that a sandbox's node has."""
    for line in text.splitlines():
        if line.startswith("huawei.com/"):
            return int(line.split()[-1])
    return 0


NAME = "Ascend910 (stand-in)"
_COLUMN = "\t{:<31}{:<31}{:<31}{}\n"
_FIELD = "\t{:<31}: {}\n"
_QUIET = ("Memory Usage Rate(%)", "HBM Usage Rate(%)", "Aicore Usage Rate(%)")


def listed(number):
    """What npu-smi would say of so many stand-ins."""
    head = _COLUMN.format("NPU ID", "Chip ID", "Chip Logic ID", "Chip Name")
    return head + "".join(_COLUMN.format(card, 0, card, NAME) for card in range(number))


def common(card):
    """What npu-smi would say of a stand-in: it does nothing."""
    fields = [("NPU ID", card), ("Chip Count", 1), ("Chip ID", 0), ("Chip Name", NAME)]
    return "".join(_FIELD.format(*field) for field in [*fields, *((name, 0) for name in _QUIET)])


def npu_smi(*words):
    """What npu-smi says."""
    line = ["npu-smi", "info", *words]
    answer = subprocess.run(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=True
    )
    return answer.stdout.decode(errors="replace")


def gathered():
    """The files by their names, with what they hold."""
    pretended = stand_ins(STAND_INS.read_text()) if STAND_INS.exists() else 0
    if pretended:
        told = {f"device{card}": common(card) for card in range(pretended)}
        return dict(told, device_list=listed(pretended))
    found = npu_smi("-m")
    told = {f"device{n}": npu_smi("-t", "common", "-i", str(n)) for n in cards(found)}
    return dict(told, device_list=found)


def write(path, text):
    """Writes a new file: who else may write there could have made the name a link to any other."""
    if path.is_symlink() or path.exists():
        path.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(str(path), flags, 0o644), "w") as file:
        file.write(text)


def keep(files, place):
    """Puts the files in place, each whole, and removes those of cards that are gone."""
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        new = place / f".{name}.new"
        write(new, text)
        new.replace(place / name)
    for old in place.glob("device[0-9]*"):
        if old.name not in files:
            old.unlink()


def serve():
    """Keeps the files up to date for as long as it runs; a fault is told once."""
    told = ""
    while True:
        fault = ""
        try:
            keep(gathered(), PLACE)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            fault = f"nothing new of the NPUs: {error}"
        if fault and fault != told:
            print(fault, flush=True)
        told = fault
        time.sleep(SECONDS)


def put(source, target, mode):
    """Copies a file where it differs; whether it did."""
    content = source.read_bytes()
    if target.exists() and target.read_bytes() == content and target.stat().st_mode & 0o777 == mode:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.new")
    new.write_bytes(content)
    new.chmod(mode)
    new.replace(target)
    print(f"changed: wrote {target}")
    return True


def install(root=Path("/")):
    """Makes it a service: as the role npu-info does, file by file."""
    here = Path(__file__).resolve()
    program, unit = PROGRAM.relative_to("/"), Path("etc/systemd/system", UNIT)
    changed = [
        put(here, root / program, 0o755),
        put(here.with_name(UNIT), root / unit, 0o644),
    ]
    if any(changed):
        systemctl("daemon-reload")
    systemctl("enable", "--quiet", UNIT)
    systemctl("restart" if any(changed) else "start", UNIT)
    print(f"{UNIT} keeps what npu-smi says in {PLACE}")


def systemctl(*words):
    subprocess.run(["systemctl", *words], check=True)


if __name__ == "__main__":
    actions = {"": install, "--serve": serve, "--once": lambda: keep(gathered(), PLACE)}
    chosen = actions.get(" ".join(sys.argv[1:]))
    if not chosen:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} [--serve|--once]")
    try:
        chosen()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        sys.exit(f"npu_info_gen.py: {error}")
