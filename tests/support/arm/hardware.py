"""Real nodes for the machines of a local Azure: sandbox nodes that a real cloud-init sets up."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from dlws.runs.console import Console
from dlws.sandbox import faults, lifecycle, nodes, plan, rootfs, state
from dlws.sandbox.machine import run
from dlws.sandbox.state import Sandbox
from dlws.shell.quoting import script
from tests.support.arm.world import Body, Hardware, World, key

_LAYER = """
mkdir -p "$2/upper" "$2/work" "$2/root"
mount -t overlay layer "$2/root" -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work"
export DEBIAN_FRONTEND=noninteractive
cp /etc/resolv.conf "$2/root/etc/resolv.conf"
chroot "$2/root" apt-get -qq update
chroot "$2/root" apt-get -qq -y install --no-install-recommends cloud-init >/dev/null
"""
"""$1: the base of sandbox nodes; $2: a directory for what an image on Azure has beyond it."""


def image(place: Path, release: str, console: Console) -> str:
    """The file systems of a machine image, as overlays take them: nodes' base, and cloud-init."""
    base = rootfs.build(release, console)
    words = ("unshare", "--mount", "--propagation", "private", "sh", "-euc")
    run(script('exec "$@"', *words, _LAYER, "sh", base, place), doing="installing cloud-init")
    return f"{place}/upper:{base}"


def seed(vm: Body, custom_data: str) -> dict[str, str]:
    """What Azure tells cloud-init of a machine, by the path where its NoCloud source reads it."""
    about = vm["properties"]["osProfile"]
    keys = [one["keyData"] for one in about["linuxConfiguration"]["ssh"]["publicKeys"]]
    meta = {"instance-id": vm["id"], "local-hostname": about["computerName"], "public-keys": keys}
    settings = {
        "datasource_list": ["NoCloud"],
        "system_info": {"default_user": {"name": about["adminUsername"]}},
        # Its network, mirrors and languages are those that the node has anyhow.
        "network": {"config": "disabled"},
        "apt": {"preserve_sources_list": True},
        "locale": False,
    }
    return {
        "var/lib/cloud/seed/nocloud/meta-data": json.dumps(meta),
        "var/lib/cloud/seed/nocloud/user-data": base64.b64decode(custom_data).decode(),
        "etc/cloud/cloud.cfg.d/95-machine.cfg": json.dumps(settings),
    }


class Nodes(Hardware):
    """One sandbox: a node for each machine, with its private and public address."""

    def __init__(self, directory: Path, world: World) -> None:
        self.directory, self.world, self.console = directory, world, Console()
        wish = lifecycle.Request(infra=0, workers=0)
        sandbox = lifecycle.up(directory, wish, self.console)
        lower = image(directory / "image", sandbox.os, self.console)
        self._keep(replace(sandbox, lower=lower))

    @property
    def sandbox(self) -> Sandbox:
        return lifecycle.sandbox_of(self.directory)

    def _keep(self, sandbox: Sandbox) -> None:
        state.save(sandbox)

    def on(self, made: list[Body]) -> None:
        there = {node.name for node in self.sandbox.nodes}
        new = {vm["name"]: vm for vm in made if vm["name"] not in there}
        rows = [(name, vm["tags"]["role"]) for name, vm in new.items()]
        self._keep(replace(self.sandbox, nodes=plan.extended(self.sandbox.nodes, rows)))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._boot, new.values()))

    def _boot(self, vm: Body) -> None:
        sandbox = self.sandbox
        node, base = sandbox.node(vm["name"]), sandbox.base
        password = (self.directory / "deploy/sshkey/rootpasswd").read_text().strip()
        nodes.prepare(sandbox, node, base, password)
        for path, text in seed(vm, self.world.hidden[key(vm["id"])]).items():
            nodes.write(sandbox.folder(node) / "root", path, text, 0o600)
        self._place(vm, sandbox.address(node))
        nodes.boot(sandbox, node, base)
        nodes.answers(sandbox, node)

    def _place(self, vm: Body, address: str) -> None:
        """Azure's addresses of a machine are those of its node."""
        (nic,) = vm["properties"]["networkProfile"]["networkInterfaces"]
        (ip,) = self.world.get(nic["id"])["properties"]["ipConfigurations"]
        ip["properties"]["privateIPAddress"] = address
        public = self.world.get(ip["properties"]["publicIPAddress"]["id"])
        public["properties"]["ipAddress"] = address

    def off(self, name: str) -> None:
        sandbox, node = self.sandbox, self.sandbox.node(name)
        nodes.remove(sandbox.label(node), sandbox.folder(node))
        left = tuple(one for one in sandbox.nodes if one != node)
        self._keep(replace(sandbox, nodes=left))

    def power(self, name: str, state: str) -> None:
        node = self.sandbox.node(name)
        if state == "running":
            faults.start(self.sandbox, node)
        else:
            faults.kill(self.sandbox, node)

    def down(self) -> None:
        lifecycle.down(self.directory, self.console)
