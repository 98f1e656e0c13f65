"""A person who follows the guide for machines of one's own, on a rehearsal of its sample."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from dlws.images import ownengine
from dlws.sandbox import lifecycle
from dlws.shell.quoting import sh
from tests.support import ROOT, emulation, parts
from tests.support.sandboxes import Made

LINES = ROOT / "tests/support/seed001.txt"
SAMPLE = ROOT / "tests/config/data/atlas.yaml"
LEFT_OUT = () if os.environ.get("DLWS_TESTS") == "whole" else ("atlas-gpu02",)
"""It is atlas-gpu01 over again, and costs minutes: `tests/run.sh --whole` has it, too."""
PASSWORD = "your_root_password"  # as the guide has it
_HOST = re.compile(r"(?m)^(\s*)192\.168\.3\.\d+(\s+)([a-z0-9-]+)")


def lines(text: str) -> list[tuple[str, str]]:
    """Where each line of the guide is typed, and the line."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("|"):
            where, command = found.pop()
            found.append((where, f"{command}\n{line[2:]}"))
        elif line and not line.startswith("#"):
            where, _, command = line.partition(": ")
            found.append((where, command))
    return found


@dataclass(frozen=True)
class Guide:
    """A person who follows the guide, in the cluster's directory.

    `entry` leads to a Docker engine of their own, which sees an /etc/docker of its own. `emulates`:
    this machine runs programs of arm64, too.
    """

    directory: Path
    entry: tuple[str, ...] = ()
    emulates: bool = False

    @cached_property
    def box(self) -> Made:
        return Made(self.directory, lifecycle.sandbox_of(self.directory))

    @cached_property
    def names(self) -> list[str]:
        return [node.name for node in self.box.sandbox.nodes]

    @property
    def gpu_workers(self) -> list[str]:
        return [name for name in self.names if name.startswith("atlas-gpu")]

    def address(self, name: str) -> str:
        return self.box.sandbox.address(self.box.sandbox.node(name))

    @property
    def environment(self) -> dict[str, str]:
        there = (self.directory / "config.yaml").exists()
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DOCKER_CONFIG": str(self.directory / ".docker"),
            "REGISTRY": f"{self.address('atlas02')}:5443" if there else "",
        }

    def __call__(self, line: str) -> str:
        """What a line in a shell of the devbox prints."""
        done = self.typed(line)
        return done.stdout + done.stderr

    def data(self, line: str) -> Any:
        """The JSON that a line prints."""
        return json.loads(self.typed(line).stdout)

    def typed(self, line: str) -> subprocess.CompletedProcess[str]:
        """Type a line in a shell of the devbox; it has to end well."""
        return self.ended(line, 0)

    def ended(self, line: str, code: int) -> subprocess.CompletedProcess[str]:
        """Type a line; it has to end with this exit status."""
        done = subprocess.run(
            # Entering another view of the file system leads away from the directory.
            [*self.entry, "bash", "-c", f"cd {sh(self.directory)} || exit\n{line}"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        told = f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == code, told
        assert "Traceback" not in told and "defect of dlws" not in told, told
        return done

    def follow(self, where: str, line: str) -> str:
        """Type a line where the guide says; what it prints in the devbox."""
        if where in ("here", "ours"):
            return self(_HOST.sub(self._moved, line))
        if where == "arm64":
            return self(line) if self.emulates else self._not_for_arm64(line)
        if where == "private":  # what it does to this machine's /etc is seen by this line alone
            return self(
                f"unshare --mount bash -c 'mount -t tmpfs none /mnt && cp /etc/hosts /mnt && "
                f"mount --bind /mnt/hosts /etc/hosts && {line} && cmp /etc/hosts deploy/etc/hosts'"
            )
        gpus = dict.fromkeys(("gpu", "ours gpu", "terminal"), self.gpu_workers)
        names = {"nodes": self.names, "master": ["atlas02"], **gpus}[where]
        if where == "terminal":
            line = sh("script", "--quiet", "--return", "--command", line, "/dev/null")
        typed = f"{{ {line}\n}} </dev/null 2>&1"
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: self.box.run(name, typed), names))
        return ""

    def _not_for_arm64(self, line: str) -> str:
        """Where nothing builds for arm64, that is said, with what helps."""
        told = self.ended(line, 1).stderr
        assert "nothing builds for arm64" in told and "qemu-user-static" in told, told
        return ""

    def _moved(self, found: re.Match[str]) -> str:
        """An address of the guide, as it is here; atlas.DOMAIN is the master's second name."""
        name = found[3] if found[3] in self.names else "atlas02"
        return f"{found[1]}{self.address(name)}{found[2]}{found[3]}"


def sample() -> str:
    """The guide's config.yaml, without machines that are left out."""
    found = yaml.safe_load(SAMPLE.read_text())
    for name in LEFT_OUT:
        del found["scale_up"][name]
    return yaml.safe_dump(found, sort_keys=False)


@contextmanager
def rehearsal(directory: Path) -> Iterator[Guide]:
    """The machines of the guide before its first line; a bundle stands in for its downloads."""
    for name in ("deploy.py", "scripts"):
        (directory / name).symlink_to(ROOT / name)
    keys = directory / "deploy/sshkey"
    keys.mkdir(parents=True, mode=0o700)
    (keys / "rootpasswd").write_text(f"{PASSWORD}\n")  # the machines' before it begins
    (directory / "sample.yaml").write_text(sample())
    parts.write(directory)
    plain = Guide(directory)
    try:
        plain("./deploy.py sandbox up --config sample.yaml")
        plain("./deploy.py bundle build --from debian")
        with ownengine.running({}) as entry, emulation.running(entry) as emulates:
            yield Guide(directory, entry, emulates)
    finally:
        plain("./deploy.py sandbox down")
