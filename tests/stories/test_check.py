"""check on real nodes: nothing where all is well, and exactly what is broken where something is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest
import yaml

from dlws.sandbox import faults
from tests.support.deploy import Deploy
from tests.support.sandboxes import Made, MakeSandbox

pytestmark = pytest.mark.sandbox


TREE = (
    "find /etc /var/lib /tmp /root /usr /home -xdev -printf '%p %y %m %U %G %T@ %C@ %l\\n' | sort; "
    "find /etc /var/lib /tmp /root -xdev -type f -exec sha256sum {} + | sort"
)

Found = set[tuple[str, str, str]]


@dataclass(frozen=True)
class Box:
    made: Made
    deploy: Deploy

    def check(self, *words: str) -> tuple[int, dict[str, Any]]:
        done = self.deploy("--parallel", "8", "check", *words, "--output", "json", code=None)
        return done.returncode, json.loads(done.stdout)

    def found(self, *words: str) -> tuple[int, Found]:
        """The exit code, and level, node and rule of all that was found; each has its cure."""
        code, told = self.check(*words)
        findings = [one for node in told["nodes"] for one in node["findings"]] + told["others"]
        assert all(one["what"] and one["cure"] for one in findings)
        some = [one for one in findings if one["level"] != "unknown"]
        return code, {(one["level"], one["node"], one["check"]) for one in some}

    def address(self, name: str) -> str:
        return self.made.sandbox.address(self.made.sandbox.node(name))

    @contextmanager
    def broken(self, node: str, breaks: str, mends: str) -> Iterator[None]:
        self.made.run(node, breaks)
        try:
            yield
        finally:
            self.made.run(node, mends)


@pytest.fixture(scope="module")
def box(make_sandbox: MakeSandbox) -> Box:
    made = make_sandbox(1, 2)
    deploy = Deploy(made.directory)
    deploy("build")
    deploy("sshkey", "install")
    return Box(made, deploy)


def test_nothing_fails_on_healthy_nodes(box: Box) -> None:
    code, told = box.check()
    assert (code, told["healthy"]) == (0, True)
    assert [node["result"] for node in told["nodes"]] == ["unknown"] * 3
    checks = [one["check"] for node in told["nodes"] for one in node["findings"]]
    assert checks == ["container"] * 3
    assert told["nodes"][1]["facts"]["ports"] == {"infra1:6443": "refused"}
    assert told["nodes"][0]["facts"]["ports"] == {
        "worker1:10250": "refused", "worker2:10250": "refused",
    }  # fmt: skip


def test_it_writes_nothing(box: Box) -> None:
    before = [box.made.run(node.name, TREE) for node in box.made.sandbox.nodes]
    assert len(before[0].splitlines()) > 1000
    assert box.check()[0] == 0
    assert [box.made.run(node.name, TREE) for node in box.made.sandbox.nodes] == before


def test_text_has_a_row_for_equal_findings(box: Box) -> None:
    done = box.deploy("check", "worker")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["RESULT", "NODES"], ["unknown", "worker[1-2]"], ["ok", "worker[1-2]"],
    ]  # fmt: skip


def test_a_user_who_may_not_become_root(box: Box) -> None:
    rule = "/etc/sudoers.d/dlws-dlwsadmin"
    with box.broken("worker1", f"mv {rule} /root/rule", f"mv /root/rule {rule}"):
        assert box.found() == (5, {("failure", "worker1", "sudo")})
    assert box.found() == (0, set())


def test_no_sudo_at_all(box: Box) -> None:
    with box.broken("worker1", "mv /usr/bin/sudo /root", "mv /root/sudo /usr/bin"):
        assert box.found() == (5, {("failure", "worker1", "sudo")})


@pytest.mark.parametrize("how", ["DROP", "REJECT --reject-with icmp-admin-prohibited"])
def test_a_port_behind_a_firewall(box: Box, how: str) -> None:
    match = f"INPUT -s {box.address('worker1')} -p tcp --dport 6443 -j {how}"
    with box.broken("infra1", f"iptables -I {match}", f"iptables -D {match}"):
        assert box.found() == (5, {("failure", "worker1", "ports")})
        _, told = box.check()
    what = told["nodes"][1]["findings"][0]["what"]
    assert "TCP 6443 of infra1" in what and box.address("infra1") in what
    assert "infra1" in told["nodes"][1]["findings"][0]["cure"]


def test_a_firewall_that_resets_what_something_listens_on(box: Box) -> None:
    unit = "systemd-run --quiet --unit=listen systemd-socket-activate --accept -l 10250 cat"
    match = "INPUT -p tcp --dport 10250 -j REJECT --reject-with tcp-reset"
    stop = "systemctl stop listen; rm -r /etc/kubernetes"
    with box.broken("worker2", f"{unit}; mkdir -p /etc/kubernetes", stop):
        assert box.found() == (5, {("failure", "worker2", "listeners")})
        box.made.run("worker2", "touch /etc/kubernetes/kubelet.conf")  # it is a kubelet, then
        assert box.found() == (0, set())
        with box.broken("worker2", f"iptables -I {match}", f"iptables -D {match}"):
            assert box.found() == (5, {("failure", "infra1", "ports")})


def test_a_copied_machine_id(box: Box) -> None:
    copied = box.made.run("infra1", "cat /etc/machine-id")
    breaks = f"cp /etc/machine-id /root/id; echo {copied} > /etc/machine-id"
    with box.broken("worker2", breaks, "mv /root/id /etc/machine-id"):
        twice: Found = {("failure", name, "identity") for name in ("infra1", "worker2")}
        assert box.found() == (5, twice)


def test_a_hostname_twice(box: Box) -> None:
    with box.broken("worker2", "hostname worker1", "hostname worker2"):
        twice: Found = {("failure", name, "identity") for name in ("worker1", "worker2")}
        assert box.found() == (5, {*twice, ("warning", "worker2", "hostname")})


def test_an_address_twice(box: Box) -> None:
    # On a link of its own and without ARP, so that worker1 can still be reached.
    breaks = (
        "sysctl -qw net.ipv4.conf.all.arp_ignore=1; ip link add twice type bridge; "
        f"ip address add {box.address('worker1')}/32 dev twice"
    )
    mends = "ip link del twice; sysctl -qw net.ipv4.conf.all.arp_ignore=0"
    with box.broken("infra1", breaks, mends):
        # Packets of worker1 have an address of infra1's own, so its kernel drops them.
        lost: Found = {("failure", "infra1", "addresses"), ("failure", "worker1", "ports")}
        assert box.found() == (5, lost)


def test_a_wrong_name(box: Box) -> None:
    save, restore = "cp /etc/hosts /root", "cat /root/hosts > /etc/hosts"
    wrong = f"{save}; sed -i 's/^{box.address('worker2')} /10.9.9.9 /' /etc/hosts"
    with box.broken("worker1", wrong, restore):
        both: Found = {("failure", "worker1", "names"), ("warning", "worker1", "names")}
        assert box.found() == (5, both)
    first = f"{save}; sed -i '1i 10.9.9.9 worker2.sandbox.internal worker2' /etc/hosts"
    with box.broken("worker1", first, restore):
        assert box.found() == (5, {("failure", "worker1", "names")})
    other = f"{save}; echo {box.address('worker2')} infra1.sandbox.internal >> /etc/hosts"
    with box.broken("worker1", other, restore):
        assert box.found() == (5, {("failure", "worker1", "names")})


# What others left on a node: what does it, what takes it away again, and what is told of it.
_MINE = "systemd-run --quiet --unit="
LEFT = {
    "another cluster's network": ("mkdir -p /etc/cni/net.d; echo {} >/etc/cni/net.d/05-k3s.conf",
        "rm -r /etc/cni/net.d", ("failure", "cni")),
    "an etcd": (f"{_MINE}odd-etcd systemd-socket-activate -l 2379 cat",
        "systemctl stop odd-etcd", ("failure", "listeners")),
    "a bridge in the network of pods": ("ip link add odd0 type bridge; "
        "ip address add POD dev odd0; ip link set odd0 up", "ip link del odd0",
        ("failure", "networks")),
    "cloud-init": ("mkdir -p /etc/cloud/cloud.cfg.d; echo 'manage_etc_hosts: true' >"
        "/etc/cloud/cloud.cfg.d/50-odd.cfg", "rm -r /etc/cloud", ("warning", "hosts")),
    "a broken disk": ("mount --bind /etc /etc && mount -o remount,bind,ro /etc",
        "umount /etc", ("failure", "writable")),
    "places for temporary files": ("mount -t tmpfs -o noexec tmpfs /var/tmp",
        "umount /var/tmp", ("warning", "executable")),
    "an apt at work": (f"{_MINE}odd-apt flock /var/lib/dpkg/lock-frontend sleep infinity",
        "systemctl stop odd-apt", ("warning", "packages")),
}  # fmt: skip


def test_what_others_left_is_foreseen(box: Box) -> None:
    pods = yaml.safe_load(box.made.config.read_text())["kubernetes"]["pod_cidr"]
    address = ip_network(pods)[7 * 256 + 1]
    ways = list(LEFT.values())
    breaks = " && ".join(f"{{ {way}; }}" for way, _, _ in ways).replace("POD", f"{address}/24")
    mends = "; ".join(mend for _, mend, _ in reversed(ways))
    with box.broken("infra1", breaks, mends):
        assert box.found() == (5, {(level, "infra1", rule) for _, _, (level, rule) in ways})
        text = box.deploy("check", "infra1", code=5).stdout
    for word in ("05-k3s.conf", "2379", "odd0", pods, "manage_etc_hosts", "/etc", "/var/tmp"):
        assert word in text
    assert box.found() == (0, set())


def test_a_node_that_is_cut_off(box: Box) -> None:
    node = box.made.sandbox.node("worker2")
    faults.cut(box.made.sandbox, node)
    try:
        assert box.found() == (5, {("failure", "worker2", "ssh")})
        # The one that is not asked for is still seen from the others.
        assert box.found("infra1") == (5, {("failure", "infra1", "ports")})
        assert "worker2" in box.deploy("check", code=5).stdout
    finally:
        faults.heal(box.made.sandbox, node)


def test_a_clock_that_is_behind(box: Box) -> None:
    wrapper = 'printf \'#!/bin/sh\\nexec /usr/bin/date -d "5 minutes ago" "$@"\\n\''
    path = "/usr/local/sbin/date"
    with box.broken("worker1", f"{wrapper} > {path}; chmod +x {path}", f"rm {path}"):
        assert box.found() == (5, {("failure", "worker1", "clock")})


def test_mirrors_and_registries_where_packages_come_from_them(box: Box) -> None:
    config = box.made.config
    before = config.read_text()
    host = "images.invalid"
    text = before.replace("source: bundle", f"source: packages\n  image_repository: {host}/k8s")
    config.write_text(text)
    try:
        everywhere: Found = {
            ("failure", name, "registries") for name in ("infra1", "worker1", "worker2")
        }
        assert box.found() == (5, everywhere)
        line = "echo deb http://127.0.0.1:9/debian bookworm main > /etc/apt/sources.list.d/x.list"
        with box.broken("worker1", line, "rm /etc/apt/sources.list.d/x.list"):
            assert box.found() == (5, {*everywhere, ("failure", "worker1", "mirrors")})
    finally:
        config.write_text(before)


def test_the_step_stops_on_failures_and_force_goes_on(box: Box) -> None:
    with box.broken("worker2", "hostname worker1", "hostname worker2"):
        stopped = box.deploy("up", "sandbox", "--only", "check", code=5)
        assert "--force" in stopped.stderr and "identity" in stopped.stdout
        assert "going on" in box.deploy("--force", "up", "sandbox", "--only", "check").stderr
    box.deploy("up", "sandbox", "--only", "check")
