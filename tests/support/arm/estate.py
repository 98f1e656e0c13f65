"""A cluster's directory whose machines on a local Azure are real nodes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support import ROOT
from tests.support.arm.hardware import Nodes
from tests.support.arm.server import Local, serving

WORKER = """#cloud-config
ssh_pwauth: false
write_files: [{path: /etc/rack, content: "r7"}]
runcmd: [[touch, /var/lib/made-by-cloud-init]]
"""
OWN = ("kubernetes", "containerd", "docker_daemon", "stand_in_shares")
"""What a sandbox's nodes need of a configuration."""
IMAGES = ("RestfulAPI", "WebUI", "watchdog", "gpu-reporter", "reaper", "job-exporter",
          "init-container", "dashboard", "user-synchronizer")  # fmt: skip
"""What the document pushes: contexts of somebody's checkout, here with one file each."""


@dataclass(frozen=True)
class Estate:
    """Runs the command lines of an administrator."""

    directory: Path
    local: Local
    nodes: Nodes
    environment: Mapping[str, str]

    def done(
        self, line: str, code: int = 0, stdin: str = "", first: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """A command line that begins with a program of ours, run; `first` are global options."""
        program, *words = shlex.split(line)
        place = ["--dir", str(self.directory), *shlex.split(first)]
        if program.endswith(".sh"):
            whole = [str(ROOT / program), *words, *place]
        else:
            whole = [sys.executable, str(ROOT / program), *place, *words]
        done = subprocess.run(whole, input=stdin, capture_output=True, text=True, check=False,
                              cwd=ROOT, env={**os.environ, **self.environment})  # fmt: skip
        told = f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == code, told
        assert "Traceback" not in told and "defect of dlws" not in told, told
        return done

    def run(self, line: str, code: int = 0, stdin: str = "", first: str = "") -> str:
        done = self.done(line, code, stdin, first)
        return done.stdout + done.stderr

    def json(self, line: str) -> Any:
        """The data that a command prints."""
        return json.loads(self.done(f"{line} --output json").stdout)

    def on(self, name: str, command: str) -> str:
        """What a command of root's prints on a node."""
        words = shlex.join(["--nodes", name, "--sudo", "execonall", command])
        said = self.done(f"./deploy.py {words}").stdout.splitlines()
        return "\n".join(one.partition(": ")[2].strip() for one in said)

    def ready(self) -> list[str]:
        """The nodes that Kubernetes calls Ready."""
        found = json.loads(self.done("./deploy.py kubectl get nodes -o json").stdout)["items"]
        return [node["metadata"]["name"] for node in found for one in node["status"]["conditions"]
                if (one["type"], one["status"]) == ("Ready", "True")]  # fmt: skip


def configuration(local: Local, network: str, sandbox: Mapping[str, Any]) -> str:
    """One infra node and one worker, a database, and what sandbox nodes need."""
    own = yaml.safe_dump({key: sandbox[key] for key in OWN}, sort_keys=False)
    return f"""
cluster_name: atlas
supported_platform: [azure_cluster]
azure_cluster:
  {local.cloud}
  subscription: test
  worker_vm_size: Standard_D4s_v5
  worker_node_num: 1
  nfs_node_num: 0
  infra_local_storage_sz: 0
  worker_local_storage_sz: 0
  nfs_data_disk_num: 0
  cloud_init: {{worker: worker.yaml}}
cloud_config_nsg_rules:
  vnet_range: {network}
  dev_network: {{source_addresses_prefixes: [203.0.113.0/24]}}
nfs_disk_mnt: {{atlas-infra01: {{path: /data, fileshares: [/data/share]}}}}
mountpoints:
  rootshare: {{type: nfs, server: atlas-infra01, filesharename: /data/share, mountpoints: ""}}
services: [mysql]
mysql_password: file:deploy/mysql/password
docker_sources: [images]
{own}"""


@contextmanager
def estate(place: Path) -> Iterator[Estate]:
    """A local Azure with real nodes, and a directory whose config.yaml names it."""
    directory, sandbox = place / "cluster", place / "sandbox"
    for one in (directory / "deploy/mysql", sandbox):
        one.mkdir(parents=True)
    with serving(place) as local:
        nodes = Nodes(sandbox, local.arm.world)
        try:
            local.arm.world.hardware = nodes
            given = yaml.safe_load((sandbox / "config.yaml").read_text())
            text = configuration(local, nodes.sandbox.network, given)
            (directory / "config.yaml").write_text(text)
            (directory / "worker.yaml").write_text(WORKER)
            (directory / "deploy/mysql/password").write_text("a-password-of-the-story\n")
            (directory / "deploy/mysql/password").chmod(0o600)
            for name in IMAGES:
                context = directory / "images" / name
                context.mkdir(parents=True)
                (context / "Dockerfile").write_text("FROM scratch\nCOPY name /name\n")
                (context / "name").write_text(name)
            environment = {**local.environment(), "AZURE_CONFIG_DIR": str(place / "none")}
            yield Estate(directory, local, nodes, environment)
        finally:
            nodes.down()
