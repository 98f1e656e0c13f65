"""Drift on real nodes: found, traced to its line, healed; and looking for it changes nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dlws.core import resources
from dlws.core.connection import Result
from dlws.nodes.questions import parse
from dlws.runs.options import Options
from dlws.session import Session
from dlws.shell.quoting import script
from dlws.verify import collect
from dlws.verify.compare import compare, expected
from dlws.verify.run import knowledge
from dlws.verify.things import Comparison, Question
from tests.support import forkserver, toyrole
from tests.support.sandboxes import Made, MakeSandbox
from tests.support.trees import TREE

pytestmark = pytest.mark.sandbox

HOME = "/home/dlwsadmin/.ssh"


# What is done to a node: the command, what is found, and the key that it stems from.
ALTERED = {
    "a name": ("sed -i '/ infra1/d' /etc/hosts", "file /etc/hosts infra1", "machines.infra1"),
    "an own line": ("echo '# x' >>/etc/sysctl.d/60-dlws-neighbours.conf",
        "file /etc/sysctl.d/60-dlws-neighbours.conf", "machines.worker1.role"),
    "a mode": ("chmod 600 /etc/sysctl.d/90-dlws-kubernetes.conf",
        "file /etc/sysctl.d/90-dlws-kubernetes.conf", "machines.worker1.role"),
    "a file": ("rm /etc/modules-load.d/dlws-kubernetes.conf",
        "file /etc/modules-load.d/dlws-kubernetes.conf", "machines.worker1.role"),
    "a link": ("cd /etc/apt/apt.conf.d && mv 99-dlws-no-auto-updates /root/x && "
        "ln -s /root/x 99-dlws-no-auto-updates",
        "file /etc/apt/apt.conf.d/99-dlws-no-auto-updates", "machines.worker1.role"),
    "a sysctl": ("echo 0 >/proc/sys/net/ipv4/ip_forward",
        "sysctl net.ipv4.ip_forward", "machines.worker1.role"),
    "a package": ("dpkg --force-depends -r socat >/dev/null",
        "package socat", "machines.worker1.role"),
    "a unit": ("systemctl disable --now containerd 2>/dev/null",
        "unit containerd", "kubernetes.version"),
    "a timer": ("systemctl enable --now apt-daily.timer 2>/dev/null",
        "unit apt-daily.timer", "machines.worker1.role"),
    "swap": ("echo '/swapfile none swap sw 0 0' >>/etc/fstab",
        "file /etc/fstab", "machines.worker1.role"),
    "the directory of keys": (f"chmod 755 {HOME}", f"file {HOME}", "admin_username"),
    "the sudo rule": ("chmod 400 /etc/sudoers.d/dlws-dlwsadmin",
        "file /etc/sudoers.d/dlws-dlwsadmin", "admin_username"),
    "name service": ("sed 's/sandbox.internal/elsewhere.example/' /etc/resolv.conf >/tmp/r && "
        "cat /tmp/r >/etc/resolv.conf", "file /etc/resolv.conf", "network.domain"),
}  # fmt: skip


@dataclass(frozen=True)
class Box:
    """A prepared sandbox, and deploy.py for it."""

    made: Made

    def __call__(self, *words: str, code: int | None = 0) -> Result:
        done = forkserver.run(["--dir", str(self.made.directory), *words], "", os.environ)
        told = done.stdout + done.stderr
        result = Result(done.returncode, done.stdout.encode(), done.stderr.encode())
        assert code is None or result.code == code, f"{words}: exit {result.code}\n{told}"
        assert "Traceback" not in told and "defect of dlws" not in told, told
        return result

    def differences(self, code: int = 5) -> list[dict[str, Any]]:
        data = json.loads(self("verify", "--output", "json", code=code).out)
        assert data["clean"] is (code == 0)
        return [one for node in data["nodes"] for one in node["differences"]]

    def line(self, key: str) -> str:
        """FILE:LINE of a key, found by the config module's own explanation."""
        text = self("config", "explain", key).text
        return text.split("set at: ")[1].split("\n")[0]


@pytest.fixture(scope="module")
def box(make_sandbox: MakeSandbox) -> Iterator[Box]:
    """Two nodes, prepared by `verify --fix` alone; packages come from apt."""
    made = make_sandbox(1, 1)
    made.config.write_text(made.config.read_text().replace("source: bundle", "source: packages"))
    box = Box(made)
    for words in (("build",), ("sshkey", "install"), ("up", "--only", "hosts")):
        box(*words)
    bare = box.differences()
    assert {one["node"] for one in bare} == {"infra1", "worker1"}
    assert {"file", "package", "unit"} <= {one["kind"] for one in bare}
    box("verify", "--fix")
    yield box


def test_no_false_alarm_on_clean_nodes(box: Box) -> None:
    assert box.differences(code=0) == []
    assert box.differences(code=0) == []


def test_each_thing_altered_once_is_found_traced_and_healed(box: Box) -> None:
    made = box.made
    for command, _, _ in ALTERED.values():
        made.run("worker1", command)
    before = made.run("worker1", TREE).splitlines()
    found = box.differences()
    assert made.run("worker1", TREE).splitlines() == before

    assert {one["node"] for one in found} == {"worker1"}
    wanted = {what: key for _, what, key in ALTERED.values()}
    assert {f"{one['kind']} {one['what']}": one["key"] for one in found} == wanted
    for one in found:
        assert one["place"] == box.line(one["key"]), one

    done = box("verify", "--fix")
    assert "no differences on 2 nodes" in done.text
    assert done.err.decode().count("fix: ") == len({one["fix"] for one in found})
    assert made.run("worker1", "systemctl is-active containerd") == "active"
    assert made.run("worker1", "cat /proc/sys/net/ipv4/ip_forward") == "1"


def test_check_mode_alone_writes_nothing_either(box: Box) -> None:
    """Without the read-only mounts, which some kernels do not give."""
    box.made.run("worker1", "rm /etc/modules-load.d/dlws-kubernetes.conf")
    session = Session(Options(directory=box.made.directory))
    node, known = session.cluster.nodes[1], knowledge(session.cluster)
    wanted = expected(session.cluster, node, known)
    asked = collect.questions(session.cluster, node, known, wanted)
    text = (resources.templates() / "verify/state.sh").read_text()
    assert text.count("unshare --mount true") == 1
    try:
        before = box.made.run("worker1", TREE).splitlines()
        result = node.read(
            script(text.replace("unshare --mount true", "false")),
            stdin=collect.archive(asked),
            sudo=True,
        )
        assert box.made.run("worker1", TREE).splitlines() == before
        answers = parse(result.text, [question.name for question in asked])
        found = compare(wanted, Comparison(session.cluster, node, known, answers))
        assert [one.what for one in found] == ["/etc/modules-load.d/dlws-kubernetes.conf"]
    finally:
        session.close()
        box("verify", "--fix")


def test_the_disks_are_read_only_for_the_questions(box: Box) -> None:
    session = Session(Options(directory=box.made.directory))
    node = session.cluster.nodes[1]
    asked = [Question("try", "touch /etc/x; touch /root/x; touch /var/x; true")]
    text = (resources.templates() / "verify/state.sh").read_text()
    try:
        content = collect.archive(asked)
        answer = parse(node.read(script(text), stdin=content, sudo=True).text, ["try"])
        assert answer["try"].complaint.count("Read-only file system") == 3
    finally:
        session.close()
    assert box.made.run("worker1", "ls /run | grep dlws-verify || echo none") == "none"


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (f"rm {HOME}/authorized_keys", "authorized key"),
        ("rm /etc/sudoers.d/dlws-dlwsadmin", "sudo rule"),
    ],
)
def test_a_node_that_locked_us_out(box: Box, command: str, what: str) -> None:
    box.made.run("worker1", command)
    found = box.differences()
    assert [(one["kind"], one["what"], one["key"]) for one in found] == [
        ("access", what, "admin_username")
    ]
    box("verify", "--fix")
    assert box.differences(code=0) == []


def test_what_cannot_be_put_right_stays_and_is_said(box: Box) -> None:
    line = "UUID=1-2 /data ext4 defaults,nofail 0 2"
    box.made.run("worker1", f"echo '{line}' >>/etc/fstab")
    done = box("verify", "--fix", "worker1", code=5)
    assert "mount /data stands in fstab and is not mounted" in done.text
    assert "script:prepare_vm_disk.sh on worker1: " in done.err.decode()
    assert "cannot be mounted" in done.err.decode()
    box.made.run("worker1", "sed -i '/UUID=1-2/d' /etc/fstab")


def test_a_node_that_does_not_answer_is_not_clean(box: Box) -> None:
    box("sandbox", "cut", "worker1")
    try:
        done = box("verify", "--output", "json", code=3)
        nodes = {node["node"]: node for node in json.loads(done.out)["nodes"]}
        assert nodes["worker1"]["error"] and not nodes["infra1"]["error"]
    finally:
        box("sandbox", "heal", "worker1")


def test_a_dry_run_only_says_what_would_be_run(box: Box) -> None:
    box.made.run("worker1", "rm /etc/modules-load.d/dlws-kubernetes.conf")
    done = box("--dry-run", "verify", "--fix", code=5)
    assert "would run: run prepare_ubuntu.sh" in done.err.decode()
    assert len(box.differences()) == 1
    box("verify", "--fix", "worker1")


def test_a_role_that_is_files_alone(box: Box) -> None:
    folder = toyrole.write(box.made.directory)
    box.made.config.write_text(f"{box.made.config.read_text()}mysql_password: toy-secret\n")
    try:
        found = box.differences()
        assert {(one["node"], one["fix"]) for one in found} == {("worker1", "role:toy")}
        box("verify", "--fix")
        box.made.run("worker1", "echo x >>/etc/toy.conf")
        assert [(one["kind"], one["what"]) for one in box.differences()] == [
            ("file", "/etc/toy.conf")
        ]
        assert "role:toy on worker1" in box("verify", "--fix").err.decode()
        assert box.differences(code=0) == []
        box("role", "remove", "toy")
    finally:
        shutil.rmtree(folder)
    assert box.differences(code=0) == []


def test_junit(box: Box) -> None:
    out = box("verify", "--output", "junit").text
    assert out.startswith("<?xml") and 'name="worker1"' in out and 'failures="0"' in out
