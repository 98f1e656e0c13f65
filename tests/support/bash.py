from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from dlws.shell.enter import ENTER
from tests.support import ROOT

SCRIPTS = ROOT / "scripts"

LIBRARY = SCRIPTS / "lib"

ALL = sorted([*SCRIPTS.glob("*.sh"), *LIBRARY.glob("*.sh")])

NODE_SCRIPTS = [
    "disable_kernel_auto_updates.sh",
    "disable_mlocate.sh",
    "dns.sh",
    "docker_network_gc_setup.sh",
    "hostname.sh",
    "install_nfs.sh",
    "prepare_ubuntu.sh",
    "prepare_ubuntu_dev.sh",
    "prepare_vm_disk.sh",
]

Done = subprocess.CompletedProcess[str]


def bash(text: str, root: Path, *args: str, container: bool = False, **env: Any) -> Done:
    """Run a snippet with every library sourced and its arguments as $1, $2, ..."""
    # As root, a script with no root of its own would change the machine that the tests run on.
    assert root.is_dir() and root.is_relative_to(tempfile.gettempdir()), root
    head = "set -euo pipefail\n" + "".join(
        f'. "{LIBRARY}/{name}.sh"\n'
        for name in (
            "common",
            "packages",
            "mirror",
            "swap",
            "devices",
            "disks",
            "lvm",
            "others",
            "resolver",
            "roles",
            "roleunits",
        )
    )
    head += ENTER
    facts = {"DLWS_ROOT": str(root), "DLWS_CONTAINER": "yes" if container else "no", **env}
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DLWS_")}
    return subprocess.run(
        ["bash", "-c", head + text, "dlws", *args],
        env={**clean, **facts},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
