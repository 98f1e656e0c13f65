"""Real nodes: what a person, a test or an accident does to them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import paramiko
import pytest

from dlws.config import load
from dlws.core.connection import Local, banner
from dlws.core.errors import Refused
from dlws.runs.console import Console
from dlws.sandbox import cgroups, faults, lifecycle, naming, network
from dlws.sandbox.state import REGISTRY, Damaged, Sandbox
from dlws.shell.quoting import script, sh
from tests.support.sandboxes import Made, MakeSandbox

pytestmark = pytest.mark.sandbox


KUBELET_SETS = {
    f"/proc/sys/{name}"
    for name in (
        *("kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys"),
        *("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom"),
    )
}

_LAN = """set -e
ip netns add "$1"
ip link add "$1" type veth peer name eth0 netns "$1"
ip address add 198.51.100.1/24 dev "$1"
ip link set "$1" up
ip -n "$1" address add 198.51.100.2/24 dev eth0
ip -n "$1" link set eth0 up
ip -n "$1" route add default via 198.51.100.1
"""

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def box(make_sandbox: MakeSandbox) -> Made:
    return make_sandbox(1, 1)


def traces(sandbox: Sandbox) -> set[str]:
    """Where this machine shows the sandbox; one word for each place."""
    id, subnet = sandbox.id, sandbox.network
    commands = {
        "links": sh("ip", "-o", "link"),
        "rules": "nft list ruleset; iptables-save",
        "routes": sh("ip", "route", "show", "table", "all"),
        "mounts": sh("cat", "/proc/self/mountinfo"),
        "processes": "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
        "groups": sh("find", "/sys/fs/cgroup", "-type", "d", "-name", f"dlws-{id}*"),
        "run": "find /run/systemd/nspawn /run/dlws",
        "registry": sh("find", REGISTRY, "-maxdepth", 1),
    }
    network_base = subnet.rsplit(".", 1)[0] + "."
    found = set()
    for place, command in commands.items():
        text = Local().run(command).text
        if id in text or (place in ("routes", "rules") and network_base in text):
            found.add(place)
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def test_nodes_are_whole_machines(box: Made) -> None:
    assert box.run("worker1", "systemctl is-system-running --wait") == "running"
    assert box.run("worker1", "ps -p 1 -o comm=") == "systemd"
    assert box.run("worker1", "hostname -f") == "worker1.sandbox.internal"
    assert box.run("worker1", "sudo id -un") == "root"
    address = box.sandbox.address(box.sandbox.node("infra1"))
    assert box.run("worker1", "getent hosts infra1").split()[0] == address
    box.run("worker1", "ping -c 1 -W 5 infra1")


def test_wrong_password_is_refused(box: Made) -> None:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    address = box.sandbox.address(box.sandbox.nodes[0])
    with client, pytest.raises(paramiko.AuthenticationException):
        client.connect(address, 22, "root", "wrong", look_for_keys=False, allow_agent=False)


def test_secrets_and_configuration_are_private_and_load(box: Made) -> None:
    for name in ("deploy/sshkey/rootpasswd", "deploy/sshkey/rootuser", "config.yaml"):
        assert (box.directory / name).stat().st_mode & 0o777 == 0o600
    assert list(load(box.directory, strict=True).machines) == ["infra1", "worker1"]


def test_packages_can_be_installed(box: Made) -> None:
    box.run("worker1", "apt-get update && apt-get install -y --no-install-recommends tree")
    assert "tree" in box.run("worker1", "tree --version")


def test_other_users_of_the_machine_do_not_reach_a_nodes_files(box: Made) -> None:
    """A set-uid program of a node would make them root of this machine."""
    box.run("worker1", "cp /bin/bash /opt/rb && chmod 4755 /opt/rb")
    root = box.sandbox.folder(box.sandbox.node("worker1")) / "root"
    assert (root / "opt/rb").stat().st_mode & 0o4000
    stranger = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    # Through a shell: setpriv itself has root's capabilities until it has started something.
    shown = Local().run(sh(*stranger, "sh", "-c", 'exec "$0" -p -c id', root / "opt/rb"))
    assert not shown.ok and "euid=0" not in shown.text and "Permission denied" in shown.complaint


def test_of_the_machines_kernel_a_node_can_set_what_kubelet_needs(box: Made) -> None:
    writable = "find /proc/sys -path /proc/sys/net -prune -o -type f -perm -200 -writable -print"
    assert set(box.run("worker1", writable).split()) == KUBELET_SETS
    box.run("worker1", "sysctl -qw net.ipv4.conf.all.rp_filter=0")


def test_from_outside_only_answers_reach_a_node(box: Made) -> None:
    """Another network of this machine stands for its LAN; packets of one are forwarded."""
    address = box.sandbox.address(box.sandbox.node("worker1"))
    lan = f"lan-{box.sandbox.id}"
    try:
        assert Local().run(script(_LAN, lan)).ok
        inward = sh("ip", "netns", "exec", lan, "bash", "-c", f"echo > /dev/tcp/{address}/22")
        assert not Local().run(inward).ok
        box.run("worker1", "ping -c 1 -W 5 198.51.100.2")  # and its answer
        assert banner(address, 22, time.monotonic() + 5)
    finally:
        Local().run(sh("ip", "netns", "delete", lan))


def test_docker_and_kubelet_folders_are_on_the_machines_disk(box: Made) -> None:
    for folder in ("/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet", "/srv"):
        assert box.run("worker1", f"stat -f -c %T {folder}") != "overlayfs"


def test_control_groups_are_the_nodes_own_and_writable(box: Made) -> None:
    group = box.run("worker1", "dirname $(find /sys/fs/cgroup -name cgroup.procs | head -1)")
    box.run("worker1", f"mkdir {group}/mine && rmdir {group}/mine")
    own = {
        name: cgroups.groups(box.sandbox.label(box.sandbox.node(name)))
        for name in ("infra1", "worker1")
    }
    pids = {name: cgroups.processes(found) for name, found in own.items()}
    assert pids["infra1"] and pids["worker1"] and not pids["infra1"] & pids["worker1"]


def test_reboot_comes_back_as_the_same_machine_booted_anew(box: Made) -> None:
    box.run("worker1", "echo kept > /root/kept")
    before = box.run("worker1", BOOT_ID)
    with box.login("worker1") as client:
        client.exec_command("systemctl reboot")
        transport = client.get_transport()
        assert transport
        wait_until(lambda: not transport.is_active())
    node = box.sandbox.node("worker1")
    assert banner(box.sandbox.address(node), 22, time.monotonic() + 60)
    assert box.run("worker1", BOOT_ID) != before
    assert box.run("worker1", "cat /root/kept") == "kept"
    assert box.run("worker1", "ip -o -4 address show host0").count(box.sandbox.address(node)) == 1


def test_second_up_changes_nothing(box: Made) -> None:
    before = [box.run(node.name, BOOT_ID) for node in box.sandbox.nodes]
    config = box.config.read_bytes()
    assert lifecycle.up(box.directory, lifecycle.Request(), Console()) == box.sandbox
    assert [box.run(node.name, BOOT_ID) for node in box.sandbox.nodes] == before
    assert box.config.read_bytes() == config


def test_a_lost_password_is_made_anew(box: Made) -> None:
    before = (box.directory / "deploy/sshkey/rootpasswd").read_text()
    (box.directory / "deploy/sshkey/rootpasswd").unlink()
    lifecycle.up(box.directory, lifecycle.Request(), Console())
    assert (box.directory / "deploy/sshkey/rootpasswd").read_text() != before
    assert box.run("infra1", "echo yes") == "yes"


def test_another_release_for_the_same_sandbox_is_refused(box: Made) -> None:
    with pytest.raises(Refused, match="bookworm"):
        lifecycle.up(box.directory, lifecycle.Request(os="trixie"), Console())


def test_frozen_node_takes_connections_and_says_nothing(box: Made) -> None:
    node = box.sandbox.node("worker1")
    faults.freeze(box.sandbox, node)
    try:
        assert faults.status(box.sandbox, node) == "frozen"
        with pytest.raises(paramiko.SSHException):
            box.login("worker1", timeout=3)
    finally:
        faults.thaw(box.sandbox, node)
    assert box.run("worker1", "echo yes") == "yes"


def test_cut_node_does_not_answer_and_heals(box: Made) -> None:
    node = box.sandbox.node("worker1")
    before = box.run("worker1", BOOT_ID)
    faults.cut(box.sandbox, node)
    assert faults.status(box.sandbox, node) == "cut"
    with pytest.raises(OSError):
        box.login("worker1", timeout=2)
    faults.heal(box.sandbox, node)
    assert faults.status(box.sandbox, node) == "running"
    assert box.run("worker1", BOOT_ID) == before


def test_killed_node_is_gone_until_it_is_started(box: Made) -> None:
    node = box.sandbox.node("worker1")
    before = box.run("worker1", f"echo there > /root/disk; sync; {BOOT_ID}")
    faults.kill(box.sandbox, node)
    assert faults.status(box.sandbox, node) == "dead"
    with pytest.raises(OSError):
        box.login("worker1", timeout=2)
    assert faults.kill(box.sandbox, node) == "was dead already"
    faults.start(box.sandbox, node)
    assert box.run("worker1", BOOT_ID) != before
    assert box.run("worker1", "cat /root/disk") == "there"


def test_slow_and_lossy_mark_the_link_and_heal_clears_it(box: Made) -> None:
    node = box.sandbox.node("worker1")
    faults.slow(box.sandbox, node)
    faults.lossy(box.sandbox, node)
    faults.lossy(box.sandbox, node)  # twice is once
    assert faults.marks(box.sandbox, node) == ["slow", "lossy"]
    faults.heal(box.sandbox, node)
    assert faults.marks(box.sandbox, node) == []


def test_lossy_link_loses_about_a_third(box: Made) -> None:
    node = box.sandbox.node("worker1")
    faults.lossy(box.sandbox, node)
    ping = Local().run(
        sh("ping", "-q", "-c", 100, "-i", "0.01", "-W", 1, box.sandbox.address(node))
    )
    faults.heal(box.sandbox, node)
    lost = 100 - int(ping.text.split(" received")[0].rsplit(" ", 1)[1])
    assert 10 <= lost <= 55


def test_poweroff_is_dead_and_up_brings_it_back(box: Made) -> None:
    node = box.sandbox.node("worker1")
    with box.login("worker1") as client:
        client.exec_command("systemctl poweroff")
        wait_until(lambda: faults.status(box.sandbox, node) == "dead")
    lifecycle.up(box.directory, lifecycle.Request(), Console())
    assert box.run("worker1", "echo yes") == "yes"


def test_a_missing_node_is_added_and_known_to_the_others(box: Made) -> None:
    before = box.run("worker1", BOOT_ID)
    grown = lifecycle.up(box.directory, lifecycle.Request(workers=2), Console())
    assert [node.name for node in grown.nodes] == ["infra1", "worker1", "worker2"]
    assert box.run("worker1", BOOT_ID) == before
    assert box.run("worker1", "getent hosts worker2").split()[0] == grown.address(grown.nodes[2])


def test_two_sandboxes_do_not_meet(box: Made, make_sandbox: MakeSandbox) -> None:
    other = make_sandbox(1, 0)
    assert not other.sandbox.subnet.overlaps(box.sandbox.subnet)
    far = other.sandbox.address(other.sandbox.nodes[0])
    reach = f"ping -c 1 -W 2 {far} >/dev/null && echo reached || echo apart"
    assert box.run("infra1", reach) == "apart"
    faults.cut(other.sandbox, other.sandbox.nodes[0])
    assert box.run("infra1", "echo yes") == "yes"


def test_nothing_meant_for_a_node_leaves_the_machine(box: Made) -> None:
    bridge, free = box.sandbox.bridge, str(box.sandbox.subnet[250])
    Local().run(sh("ip", "link", "set", bridge, "down"))
    route = Local().run(sh("ip", "route", "get", free))
    Local().run(sh("ip", "link", "set", bridge, "up"))
    assert not route.ok and "No route to host" in route.complaint
    lost_pod = box.run("infra1", "ping -c 1 -W 2 10.244.200.1 2>&1 || true")
    assert f"From {box.sandbox.gateway}" in lost_pod and "Unreachable" in lost_pod


def test_down_leaves_no_trace_and_keeps_what_is_yours(make_sandbox: MakeSandbox) -> None:
    made = make_sandbox(1, 1)
    assert traces(made.sandbox) == {
        *("links", "rules", "routes", "mounts", "processes", "groups", "run", "registry")
    }
    assert lifecycle.down(made.directory, Console())
    assert traces(made.sandbox) == set()
    assert made.config.exists() and (made.directory / "deploy/sshkey/rootpasswd").exists()
    assert not lifecycle.down(made.directory, Console())
    again = lifecycle.up(made.directory, lifecycle.Request(), Console())
    assert (again.network, again.nodes) == (made.sandbox.network, made.sandbox.nodes)
    assert made.run("worker1", "echo yes") == "yes"


def test_down_after_everything_went_wrong(make_sandbox: MakeSandbox) -> None:
    made = make_sandbox(1, 2)
    sandbox = made.sandbox
    infra, first, second = sandbox.nodes
    os.kill(int((sandbox.folder(infra) / "supervisor.pid").read_text()), signal.SIGKILL)
    faults.freeze(sandbox, first)
    faults.lossy(sandbox, first)
    faults.cut(sandbox, second)
    (sandbox.home / "state.json").write_text("{")
    with pytest.raises(Damaged):
        lifecycle.up(made.directory, lifecycle.Request(), Console())
    assert lifecycle.down(made.directory, Console())
    assert traces(sandbox) == set()


def test_down_without_any_note_of_the_sandbox(make_sandbox: MakeSandbox) -> None:
    made = make_sandbox(1, 0)
    (made.sandbox.home / "state.json").unlink()
    assert lifecycle.down(made.directory, Console())
    assert traces(made.sandbox) == set()


def test_down_of_a_half_finished_up(make_sandbox: MakeSandbox) -> None:
    made = make_sandbox(1, 0)
    node = made.sandbox.nodes[0]
    cgroups.end(made.sandbox.label(node), time.monotonic() + 20)
    Local().run(sh("ip", "link", "delete", naming.bridge(made.sandbox.id)))
    assert network.subnet_of(made.sandbox.id) is None
    assert lifecycle.down(made.directory, Console())
    assert traces(made.sandbox) == set()
