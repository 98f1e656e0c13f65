"""The engine on real nodes: logins, sudo, jump hosts, reboots, and nodes that hang or vanish."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from dlws.core.errors import DeployError
from dlws.runs.options import Options
from dlws.sandbox import faults
from dlws.scripts import reboot
from dlws.session import Session
from tests.support import ROOT
from tests.support.agent import agent
from tests.support.deploy import Deploy
from tests.support.sandboxes import Made, MakeSandbox
from tests.support.sshd import write_key

pytestmark = pytest.mark.sandbox

QUICK = {"connect_timeout": 5, "banner_timeout": 5, "auth_timeout": 10, "keepalive": 1}

PASSWORD = "a'b\"c $x \\ ü"


@dataclass(frozen=True)
class Box:
    """Real nodes, their configuration as it was made, and deploy.py for them."""

    made: Made
    base: str
    deploy: Deploy

    def configure(self, ssh: dict[str, object] | None = None, **changes: object) -> None:
        config = {**yaml.safe_load(self.base), "ssh": {**QUICK, **(ssh or {})}, **changes}
        self.made.config.write_text(yaml.safe_dump(config, allow_unicode=True))

    def address(self, name: str) -> str:
        return self.made.sandbox.address(self.made.sandbox.node(name))

    def root(self, command: str) -> None:
        """Run a command as root on every node."""
        for node in self.made.sandbox.nodes:
            self.made.run(node.name, command)


@pytest.fixture(scope="module")
def whole(make_sandbox: MakeSandbox) -> Box:
    made = make_sandbox(1, 2)
    box = Box(made, made.config.read_text(), Deploy(made.directory))
    box.deploy("build")
    return box


@pytest.fixture
def box(whole: Box) -> Box:
    whole.configure()
    return whole


@pytest.fixture
def let_in(box: Box) -> Box:
    """The nodes with the key installed."""
    box.deploy("sshkey", "install")
    return box


def lines_of(text: str) -> list[str]:
    """Output without the names of nodes, sorted."""
    return sorted(line.split(":", 1)[1].strip() for line in text.splitlines())


def test_a_wrong_root_password_is_named_and_changes_nothing(box: Box) -> None:
    path = box.made.directory / "deploy/sshkey/rootpasswd"
    right = path.read_text()
    path.write_text("wrong\n")
    try:
        done = box.deploy("sshkey", "install", code=1)
    finally:
        path.write_text(right)
    assert "3 nodes: infra1,worker[1-2]: it does not let root in with this password" in done.stderr
    assert "cure: correct deploy/sshkey/rootuser and rootpasswd" in done.stderr
    assert box.made.run("worker1", "id -u dlwsadmin 2>/dev/null || echo none") == "none"


def test_without_a_file_the_password_is_asked_for(box: Box) -> None:
    path = box.made.directory / "deploy/sshkey/rootpasswd"
    text = path.read_text()
    path.unlink()
    try:
        done = box.deploy("--nodes", "worker1", "sshkey", "install", code=2)
        assert "write it to deploy/sshkey/rootpasswd" in done.stderr
        done = box.deploy("--nodes", "worker1", "sshkey", "install", stdin=text)
    finally:
        path.touch(mode=0o600)
        path.write_text(text)
    assert "worker1: changed: user dlwsadmin" in done.stderr
    assert box.deploy("--nodes", "worker1", "execonall", "id", "-un").stdout.endswith("dlwsadmin\n")


def test_sshkey_install_twice_changes_nothing_and_keeps_other_keys(box: Box) -> None:
    box.deploy("sshkey", "install")
    keys = "/home/dlwsadmin/.ssh/authorized_keys"
    box.made.run("worker1", f"printf 'ssh-ed25519 AAAA theirs' >{keys}")
    again = box.deploy("sshkey", "install")
    changed = [line for line in again.stderr.splitlines() if "changed:" in line]
    assert changed == ["worker1: changed: authorized key"]
    assert box.made.run("worker1", f"head -1 {keys}; wc -l <{keys}") == "ssh-ed25519 AAAA theirs\n2"
    done = box.deploy("sshkey", "install")
    assert done.stderr == "nothing to do: the key works\n"


def test_the_hosts_file_of_the_devbox_is_merged_and_no_line_goes_lost(let_in: Box) -> None:
    """The seed's own line: it overwrote what an administrator had there."""
    let_in.made.run("worker1", "echo '10.2.2.2 storage' >>/etc/hosts")
    let_in.deploy("hosts")
    source = let_in.made.directory / "deploy/etc/hosts"
    with source.open("a") as file:
        file.write("10.3.3.3 gate.example.org gate\n")
    copy = ("--nodes", "worker1", "copytoall", str(source), "/etc/hosts")
    assert "merging" in let_in.deploy(*copy).stderr
    known = let_in.made.run("worker1", "getent hosts storage gate infra1 | cut -d' ' -f1").split()
    assert set(known) == {"10.2.2.2", "10.3.3.3", let_in.address("infra1")}
    assert "nothing to do" in let_in.deploy(*copy).stderr


def test_a_password_that_lets_us_in_is_no_key(let_in: Box) -> None:
    box = let_in
    box.made.run("worker1", "echo 'dlwsadmin:letmein' | chpasswd")
    box.made.run("worker1", "rm /home/dlwsadmin/.ssh/authorized_keys")
    box.configure({"password": "letmein"})
    done = box.deploy("--nodes", "worker1", "sshkey", "install")
    assert "worker1: changed: authorized key" in done.stderr
    box.configure()
    box.deploy("--nodes", "worker1", "execonall", "true")


@pytest.mark.parametrize(("rule", "told"), [
    ("AllowUsers root", "sshd's AllowUsers root does not name dlwsadmin"),
    ("Match User dlwsadmin\nAuthenticationMethods publickey,keyboard-interactive",
     "AuthenticationMethods publickey,keyboard-interactive: a key alone is not enough"),
    ("Match User dlwsadmin\nKbdInteractiveAuthentication yes\nAuthenticationMethods "
     "publickey,keyboard-interactive:pam", "keyboard-interactive:pam: a key alone is not enough"),
    ("Match User dlwsadmin\nAuthorizedKeysFile /etc/ssh/keys/%u", "AuthorizedKeysFile /etc/ssh/ke"),
])  # fmt: skip
def test_a_rule_of_sshd_that_keeps_the_key_out_is_named(let_in: Box, rule: str, told: str) -> None:
    """The cure was: run sshkey install."""
    file = "/etc/ssh/sshd_config.d/10-odd.conf"
    restart = "systemctl reset-failed ssh; systemctl restart ssh"  # however often
    let_in.made.run("worker2", f"printf '{rule}\n' >{file}; {restart}")
    try:
        done = let_in.deploy("--nodes", "worker2", "sshkey", "install", code=1)
    finally:
        let_in.made.run("worker2", f"rm {file}; {restart}")
    assert told in done.stderr and "sshkey install" not in done.stderr.split("cure:")[1]
    let_in.deploy("--nodes", "worker2", "execonall", "true")


def test_the_admin_user_does_not_age_and_an_aged_one_is_named(let_in: Box) -> None:
    run = let_in.made.run
    run("worker2", "userdel -rf dlwsadmin; sed -i 's/^PASS_MAX_DAYS.*/PASS_MAX_DAYS 90/' "
        "/etc/login.defs")  # fmt: skip
    let_in.deploy("--nodes", "worker2", "sshkey", "install")
    assert run("worker2", "getent shadow dlwsadmin | cut -d: -f5,7,8").strip(":-1") == ""
    run("worker2", "chage -M 90 -d 2020-01-01 dlwsadmin")
    done = let_in.deploy("--nodes", "worker2", "execonall", "true", code=1)
    cure = done.stderr.partition("chage ")[2].splitlines()[0]
    run("worker2", f"chage {cure}")
    let_in.deploy("--nodes", "worker2", "execonall", "true")


def test_a_script_runs_where_temporary_files_may_not_be_executed(
    let_in: Box, tmp_path: Path
) -> None:
    (tmp_path / "s.sh").write_text("#!/bin/sh -eu\nfindmnt -no OPTIONS -T . | grep -c noexec\n")
    mount = "mount -t tmpfs -o mode=1777,noexec tmpfs"
    let_in.made.run("worker2", f"{mount} /tmp; {mount} /var/tmp")
    try:
        run = let_in.deploy("--nodes", "worker2", "runscriptonall", f"{tmp_path}/s.sh")
    finally:
        let_in.made.run("worker2", "umount /tmp /var/tmp")
    assert run.stdout == "worker2: 1\n"


def test_root_may_be_the_admin(box: Box) -> None:
    box.configure(admin_username="root")
    done = box.deploy("--nodes", "worker2", "sshkey", "install")
    assert "worker2: changed: authorized key" in done.stderr
    assert "nothing to do" in box.deploy("--nodes", "worker2", "sshkey", "install").stderr
    assert box.deploy("--nodes", "worker2", "execonall", "id", "-un").stdout.endswith("root\n")


@pytest.fixture
def bob(box: Box) -> Box:
    """Logs in as a user of each node whose sudo asks for a password; without any key."""
    quoted = json.dumps(f"bob:{PASSWORD}", ensure_ascii=False)[1:-1].replace("'", "'\\''")
    give = f"id bob 2>/dev/null || useradd -m -s /bin/bash -G sudo bob; printf '%b\\n' '{quoted}'"
    box.root(f"{give} | sed 's/\\\\\"/\"/g' | chpasswd")
    box.configure({"user": "bob", "password": PASSWORD, "sudo_password": PASSWORD})
    return box


def test_sudo_with_a_password(bob: Box, tmp_path: Path) -> None:
    deploy = bob.deploy
    assert lines_of(deploy("--sudo", "execonall", "id", "-un").stdout) == ["root"] * 3
    listed = deploy("--nodes", "worker1", "execonall", "sudo", "ls", "-al", "/root").stdout
    assert ".bashrc" in listed
    (tmp_path / "file with space").write_bytes(b"\x00content")
    deploy("copytoall", f"{tmp_path}/file with space", "/root/a b/c")
    assert bob.made.run("worker2", "stat -c %U '/root/a b/c'; wc -c <'/root/a b/c'") == "root\n8"
    assert (
        "nothing to do" in deploy("copytoall", f"{tmp_path}/file with space", "/root/a b/c").stderr
    )
    (tmp_path / "s.sh").write_text("# dlws-needs: root\nid -un; cat\n")
    told = deploy("runscriptonall", f"{tmp_path}/s.sh").stdout
    assert told == "3 nodes infra1,worker[1-2]: root\n"


def test_a_wrong_sudo_password_is_named_and_tried_once(bob: Box, tmp_path: Path) -> None:
    bob.configure({"user": "bob", "password": PASSWORD, "sudo_password": "wrong"})
    (tmp_path / "payload").write_text(f"{PASSWORD}\n" * 5)
    done = bob.deploy("copytoall", f"{tmp_path}/payload", "/root/payload", code=1)
    assert "3 nodes: infra1,worker[1-2]: sudo refuses bob: " in done.stderr
    assert "cure: set ssh.sudo_password" in done.stderr
    failures = "journalctl -q _COMM=sudo | grep -c 'incorrect password attempt'"
    seen = bob.made.run("worker1", failures)
    refused = bob.made.run("worker1", "journalctl -q _COMM=sudo | grep 'incorrect' | tail -1")
    assert "1 incorrect password attempt" in refused and int(seen) >= 1
    assert bob.made.run("worker1", "ls /root/payload 2>/dev/null || echo none") == "none"


def test_through_a_jump_host(let_in: Box) -> None:
    box = let_in
    origin = "echo ${SSH_CONNECTION%% *}"
    direct = lines_of(box.deploy("execonall", origin).stdout)
    jump = f"dlwsadmin@{box.address('infra1')}"
    box.configure({"jump_host": jump})
    limited = ("--nodes", "worker")
    assert lines_of(box.deploy(*limited, "execonall", origin).stdout) == [box.address("infra1")] * 2
    machines = yaml.safe_load(box.base)["machines"]
    machines["worker2"]["jump_host"] = jump
    box.configure(machines=machines)
    one = lines_of(box.deploy("execonall", origin).stdout)
    assert one.count(box.address("infra1")) == 1 and set(one) == {*direct, box.address("infra1")}


def test_login_by_ssh_agent(let_in: Box, tmp_path: Path) -> None:
    box = let_in
    write_key(tmp_path / "mine")
    public = (tmp_path / "mine.pub").read_text().strip()
    box.made.run("worker1", f"echo '{public}' >>/home/dlwsadmin/.ssh/authorized_keys")
    box.configure({"agent": True, "key": "no/such/key"})
    with agent(tmp_path / "mine"):
        done = box.deploy("--nodes", "worker1", "execonall", "echo", "in")
    assert done.stdout == "worker1: in\n"
    assert (
        "no key or password" in box.deploy("--nodes", "worker1", "execonall", "id", code=2).stderr
    )


def test_a_script_that_asks_for_a_reboot_goes_on_after_it(let_in: Box, tmp_path: Path) -> None:
    (tmp_path / "s.sh").write_text(
        '[ "$1" = now ] || exit 9\n'
        'if [ "$2" = continue ]; then echo "back $(cat /proc/sys/kernel/random/boot_id)"\n'
        'else echo "first $(cat /proc/sys/kernel/random/boot_id)"; exit 194; fi\n'
    )
    done = let_in.deploy("--nodes", "worker", "runscriptonall", f"{tmp_path}/s.sh", "now")
    for said in ("rebooting", "is back"):
        assert f"2 nodes worker[1-2]: {said}\n" in done.stderr
    assert [line.split()[0] for line in lines_of(done.stdout)] == ["back", "back", "first", "first"]
    assert len({line.split()[1] for line in lines_of(done.stdout)}) == 4


def test_a_boot_that_never_ends_is_given_up_at_the_limit(let_in: Box) -> None:
    unit = (
        "[Service]\nType=oneshot\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target"
    )
    file = "/etc/systemd/system/odd-wait.service"
    let_in.made.run("worker1", f"echo '{unit}' >{file}; systemctl enable odd-wait")
    session = Session(Options(directory=let_in.made.directory))
    try:
        with pytest.raises(DeployError, match=r"still waits for odd-wait\.service \(start\)"):
            reboot.reboot(session.cluster.select(["worker1"])[0], limit=60)
    finally:
        session.close()
        let_in.made.run("worker1", f"systemctl disable --now odd-wait; rm {file}")


def test_a_background_script_is_seen_until_it_ends(let_in: Box, tmp_path: Path) -> None:
    box = let_in
    (tmp_path / "long.sh").write_text("echo begun; sleep 600\n")
    box.deploy("--background", "--nodes", "worker1", "runscriptonall", f"{tmp_path}/long.sh")

    def shown() -> tuple[str, str, str]:
        done = box.deploy("--nodes", "worker1", "status", "--output", "json", code=None)
        (row,) = json.loads(done.stdout)["nodes"]
        (job,) = row["background"]
        return job["name"], job["ended"], job["log"]

    name, ended, log = shown()
    assert (name, ended) == ("long.sh", "")
    assert box.made.run("worker1", f"cat {log}") == "begun"
    box.made.run("worker1", f"kill $(cat {Path(log).parent}/pid)")
    assert shown()[1] == "lost"


@pytest.mark.parametrize(
    ("fault", "undo"), [(faults.freeze, faults.thaw), (faults.cut, faults.heal)]
)
def test_a_node_that_falls_silent_in_mid_command_is_reported(
    let_in: Box, fault: Callable[..., str], undo: Callable[..., str]
) -> None:
    box = let_in
    node = box.made.sandbox.node("worker2")
    command = ["execonall", "echo started; [ $(hostname) != worker2 ] || sleep 600"]
    program = str(ROOT / "deploy.py")
    process = subprocess.Popen(
        [program, "--dir", box.made.directory, *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    try:
        seen = [process.stdout.readline() for _ in range(3)]
        fault(box.made.sandbox, node)
        _, told = process.communicate(timeout=60)
    finally:
        undo(box.made.sandbox, node)
        process.kill()
        process.communicate()
    assert sorted(seen) == ["infra1:  started\n", "worker1: started\n", "worker2: started\n"]
    assert process.returncode == 3
    assert "1 node: worker2: has not answered for 4 s" in told


def test_a_frozen_and_a_cut_node_hold_up_nobody(let_in: Box) -> None:
    box = let_in
    sandbox = box.made.sandbox
    faults.freeze(sandbox, sandbox.node("worker1"))
    faults.cut(sandbox, sandbox.node("worker2"))
    try:
        done = box.deploy("execonall", "echo", "alive", code=3)
    finally:
        faults.thaw(sandbox, sandbox.node("worker1"))
        faults.heal(sandbox, sandbox.node("worker2"))
    assert done.stdout == "infra1:  alive\n"
    assert "worker1: it takes connections, but does not answer as an SSH server" in done.stderr
    assert "worker2: it does not answer" in done.stderr
    deadline = time.monotonic() + 30
    while box.deploy("execonall", "true", code=None).returncode and time.monotonic() < deadline:
        os.sched_yield()
    box.deploy("execonall", "true")
