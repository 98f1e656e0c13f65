"""The guide for machines of one's own, line by line: a rehearsal of its sample, with Docker.

tests/support/seed001.txt has its command lines as they stand there. To make this shorter, leave
machines out of SAMPLE: each costs its preparation and its joining.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from dlws.sandbox import lifecycle
from tests.support import ROOT
from tests.support.sandboxes import Made

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]

SAMPLE = ROOT / "tests/config/data/atlas.yaml"
LINES = ROOT / "tests/support/seed001.txt"
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
    """A person who follows the guide, in the cluster's directory."""

    directory: Path

    @cached_property
    def box(self) -> Made:
        return Made(self.directory, lifecycle.sandbox_of(self.directory))

    @cached_property
    def names(self) -> list[str]:
        return [node.name for node in self.box.sandbox.nodes]

    def __call__(self, line: str, code: int = 0) -> str:
        """What a line in a shell of the devbox prints."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.directory,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        told = f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == code, told
        assert "Traceback" not in told and "defect of dlws" not in told, told
        return done.stdout + done.stderr

    def follow(self, where: str, line: str) -> None:
        """Type a line where the guide says."""
        if where == "here":
            self(_HOST.sub(self._moved, line))
        elif where == "private":  # what it does to this machine's /etc is seen by this line alone
            self(
                f"unshare --mount bash -c 'mount -t tmpfs none /mnt && cp /etc/hosts /mnt && "
                f"mount --bind /mnt/hosts /etc/hosts && {line} && cmp /etc/hosts deploy/etc/hosts'"
            )
        else:
            names = self.names if where == "nodes" else ["atlas02"]
            with ThreadPoolExecutor(len(names)) as pool:
                list(
                    pool.map(
                        lambda name: self.box.run(name, f"{{ {line}\n}} </dev/null 2>&1"), names
                    )
                )

    def _moved(self, found: re.Match[str]) -> str:
        """An address of the guide, as it is here; atlas.DOMAIN is the master's second name."""
        name = found[3] if found[3] in self.names else "atlas02"
        address = self.box.sandbox.address(self.box.sandbox.node(name))
        return f"{found[1]}{address}{found[2]}{found[3]}"


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guide]:
    """Its machines after the whole guide."""
    made = Guide(tmp_path_factory.mktemp("guide"))
    for name in ("deploy.py", "scripts"):
        (made.directory / name).symlink_to(ROOT / name)
    keys = made.directory / "deploy/sshkey"
    keys.mkdir(parents=True, mode=0o700)
    (keys / "rootpasswd").write_text(f"{PASSWORD}\n")  # the machines' password before it begins
    try:
        made(f"./deploy.py sandbox up --config {SAMPLE} && ./deploy.py bundle build --from debian")
        for where, line in lines(LINES.read_text()):
            made.follow(where, line)
        yield made
    finally:
        made("./deploy.py sandbox down")


def test_the_nodes_are_ready_with_docker_as_their_runtime(guide: Guide) -> None:
    guide("./deploy.py status --wait 180")
    nodes = json.loads(guide("./deploy.py kubectl get nodes -o json"))["items"]
    runtimes = {
        node["metadata"]["name"]: node["status"]["nodeInfo"]["containerRuntimeVersion"]
        for node in nodes
    }
    assert sorted(runtimes) == sorted(guide.names)
    assert all(runtime.startswith("docker://") for runtime in runtimes.values()), runtimes


def test_names_users_and_keys_are_on_every_node(guide: Guide) -> None:
    for name in guide.names:
        assert guide.box.run(name, "cat /etc/hosts") == (
            (guide.directory / "deploy/etc/hosts").read_text().strip()
        )
        assert "docker" in guide.box.run(name, "id -nG dlwsadmin").split()
        assert guide.box.run(name, "stat -c %a /root/.kube/config") == "600"
        assert "search clusters.example" in guide.box.run(
            name, "cat /etc/resolvconf/resolv.conf.d/base"
        )


def test_the_share_is_one_file_system_on_all_nodes(guide: Guide) -> None:
    for name in guide.names:
        guide.box.run(name, f"echo {name} >/dlwsdata/work/{name}")
    listed = {guide.box.run(name, "cat /mntdlws/work/*") for name in guide.names}
    assert listed == {"\n".join(sorted(guide.names))}
    assert guide.box.run("atlas02", "cat /mnt/local/work/atlas01") == "atlas01"
    shown = guide("./deploy.py mount status")
    assert shown.count("a stand-in for atlas02:/mnt/local") == len(guide.names) + 1
    assert guide("./deploy.py mount").count("stands in for atlas02:/mnt/local (nfs)") == 1


def test_devices_are_offered(guide: Guide) -> None:
    found = {}
    for node in json.loads(guide("./deploy.py kubectl get nodes -o json"))["items"]:
        offered = node["status"]["allocatable"]
        found[node["metadata"]["name"]] = {k: v for k, v in offered.items() if "." in k}
    assert found["atlas-gpu01"]["nvidia.com/gpu"] == "1"
    assert found["atlas01"]["huawei.com/Ascend910"] == "1"
