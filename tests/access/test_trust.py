"""`hosts trust` on real OpenSSH servers: what is shown, what is accepted, and what never is."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.ssh.hostkeys import parse
from tests.support import ROOT
from tests.support.deploy import Deploy
from tests.support.sshd import Server, free_port, start_sshd, wait_for_sshd, write_key

pytestmark = pytest.mark.sshd


class Machine:
    """An sshd at an address, with a key that may be changed, as installing it anew does."""

    def __init__(self, place: Path, address: str) -> None:
        self.place, self.address, self.port = place, address, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.log = place / f"log-{address}"

    def show(self, *names: str) -> Machine:
        """Run with the keys of these names, some of which are those of a kind, rsa say."""
        self.stop()
        keys = [self.place / f"key-{name}" for name in names]
        for name, key in zip(names, keys, strict=True):
            if name in ("rsa", "ecdsa"):
                subprocess.run(["ssh-keygen", "-qt", name, "-N", "", "-f", key], check=True)
            elif not key.exists():
                write_key(key)
        self._process = start_sshd(self.place, self.address, self.port, keys, self.log)
        wait_for_sshd(self.address, self.port, self._process)
        return self

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()

    @property
    def where(self) -> str:
        return f"[{self.address}]:{self.port}"


def fingerprint(machine: Machine, name: str) -> str:
    words = ["ssh-keygen", "-lf", str(machine.place / f"key-{name}.pub")]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[1]


class Cluster:
    """Machines infra1 and w1, and deploy.py for them."""

    def __init__(self, directory: Path, machines: dict[str, Machine], key: Path) -> None:
        self.machines, self.key, self.directory = machines, key, directory
        self.deploy = Deploy(directory)
        self.known_hosts = directory / "deploy/sshkey/known_hosts"
        self.configure()

    def configure(self, ssh: str = "", **more: str) -> None:
        roles = {"infra1": "infrastructure", "w1": "worker"}
        rows = "".join(
            f"  {name}: {{role: {roles[name]}, private-ip: {one.address}, port: {one.port}, "
            f"type: cpu{more.get(name, '')}}}\n"
            for name, one in self.machines.items()
        )
        (self.directory / "config.yaml").write_text(
            f"cluster_name: test\nadmin_username: root\n"
            f"ssh: {{key: {self.key}, connect_timeout: 2{ssh}}}\nmachines:\n{rows}"
        )

    def known(self) -> set[str]:
        return set(parse(self.known_hosts.read_text(), "f")) if self.known_hosts.exists() else set()

    def rows(self, *words: str, code: int = 0) -> dict[str, str]:
        done = self.deploy(*words, "--output", "json", code=code)
        return {row["node"]: row["verdict"] for row in json.loads(done.stdout)}


@pytest.fixture
def cluster(sshd: Server, tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "authorized").write_bytes(sshd.key.with_suffix(".pub").read_bytes())
    directory = tmp_path / "cluster"
    directory.mkdir()
    addresses = {"infra1": "127.0.0.1", "w1": "127.0.0.2"}
    machines = {n: Machine(tmp_path, a).show(n) for n, a in addresses.items()}
    yield Cluster(directory, machines, sshd.key)
    for machine in machines.values():
        machine.stop()


def test_new_keys_are_shown_and_taken_over_with_consent_only(cluster: Cluster) -> None:
    done = cluster.deploy("hosts", "trust", code=4)
    machine = cluster.machines["w1"]
    told = f"w1 {machine.where} ssh-ed25519 {fingerprint(machine, 'w1')}: new"
    line = f"deploy.py --dir {cluster.deploy.directory} -y hosts trust"
    assert told in done.stdout and line in done.stderr
    assert cluster.known() == set()
    assert cluster.rows("--dry-run", "-y", "hosts", "trust") == {"infra1": "new", "w1": "new"}
    assert cluster.known() == set()
    cluster.deploy("-y", "hosts", "trust", "w1")
    assert cluster.known() == {machine.where}
    assert cluster.rows("-y", "hosts", "trust") == {"infra1": "new", "w1": "same"}
    assert cluster.rows("hosts", "trust") == {"infra1": "same", "w1": "same"}


def test_nobody_logs_in(cluster: Cluster) -> None:
    cluster.deploy("-y", "hosts", "trust")
    log = cluster.machines["w1"].log
    assert "preauth" in log.read_text() and "Accepted" not in log.read_text()
    assert "userauth" not in log.read_text()
    cluster.deploy("execonall", "true")
    assert "Accepted" in log.read_text()


def test_a_changed_key_stops_all_and_needs_an_option_of_its_own(cluster: Cluster) -> None:
    cluster.deploy("-y", "hosts", "trust")
    before = cluster.known_hosts.read_text()
    cluster.machines["w1"].show("anew")
    line = f"deploy.py --dir {cluster.deploy.directory} hosts trust w1"
    assert line in cluster.deploy("execonall", "true", code=3).stderr
    done = cluster.deploy("-y", "hosts", "trust", code=4)
    machine = cluster.machines["w1"]
    assert f"{fingerprint(machine, 'anew')}: CHANGED" in done.stdout
    assert f"known: {fingerprint(machine, 'w1')}" in done.stdout
    assert "-y hosts trust --changed" in done.stderr
    assert cluster.known_hosts.read_text() == before
    cluster.deploy("hosts", "trust", "--changed", "w1")
    first, second = before.splitlines()
    kept = first if first.startswith(cluster.machines["infra1"].where) else second
    assert cluster.known_hosts.read_text().splitlines()[0] == kept
    cluster.deploy("execonall", "true")


@pytest.mark.parametrize(("answer", "code"), [("test\n", 0), ("yes\n", 4), ("\n", 4)])
def test_on_a_terminal_a_changed_key_wants_the_clusters_name(
    cluster: Cluster, answer: str, code: int
) -> None:
    cluster.deploy("-y", "hosts", "trust")
    cluster.machines["w1"].show("anew")
    assert at_terminal(cluster.directory, answer, "hosts", "trust") == code
    assert cluster.rows("hosts", "trust", code=code)["w1"] == ("changed" if code else "same")


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 4)])
def test_on_a_terminal_new_keys_are_asked_about(cluster: Cluster, answer: str, code: int) -> None:
    assert at_terminal(cluster.directory, answer, "hosts", "trust") == code
    assert len(cluster.known()) == (0 if code else 2)


def at_terminal(directory: Path, answer: str, *words: str) -> int:
    """The exit status of a command with a terminal for its input, on which this is typed."""
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    program = ROOT / "deploy.py"
    try:
        return subprocess.run(
            [sys.executable, program, "--dir", directory, *words],
            stdin=theirs, capture_output=True, timeout=60, check=False,
        ).returncode  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_pinned_key_is_config_yamls_alone(cluster: Cluster) -> None:
    machine = cluster.machines["w1"]
    cluster.configure(w1=f", host_key: '{fingerprint(machine, 'w1')}'")
    assert cluster.rows("-y", "hosts", "trust") == {"infra1": "new", "w1": "pinned"}
    assert machine.where not in cluster.known()
    machine.show("anew")
    done = cluster.deploy("-y", "hosts", "trust", "--changed", code=1)
    assert "w1: config.yaml has another host key" in done.stderr
    assert "correct host_key in config.yaml" in done.stderr
    assert f"config.yaml: {fingerprint(machine, 'w1')}" in done.stdout
    assert machine.where not in cluster.known()


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_pinned_key_is_found_among_those_of_other_kinds(cluster: Cluster, kind: str) -> None:
    """Which kind it is a fingerprint does not say, and a server shows ed25519 before others."""
    machine = cluster.machines["w1"].show("w1", "rsa", "ecdsa")
    public = " ".join((machine.place / f"key-{kind}.pub").read_text().split()[:2])
    for pinned in (fingerprint(machine, kind), public):
        cluster.configure(w1=f", host_key: '{pinned}'")
        assert cluster.rows("-y", "hosts", "trust", "w1") == {"w1": "pinned"}
        cluster.deploy("execonall", "true")
    looked = machine.log.read_text().count("preauth")
    cluster.deploy("--nodes", "w1", "execonall", "true")
    assert machine.log.read_text().count("preauth") == looked, "a key written out has a kind"


def test_a_pinned_key_that_none_of_a_machines_is_stays_refused(cluster: Cluster) -> None:
    machine = cluster.machines["w1"].show("w1", "rsa", "ecdsa")
    shown, other = (fingerprint(cluster.machines[name], name) for name in ("w1", "infra1"))
    cluster.configure(w1=f", host_key: '{other}'")
    told = cluster.deploy("--nodes", "w1", "execonall", "true", code=1).stderr
    assert f"host key {shown} is not the configured {other}" in told
    assert "Accepted" not in machine.log.read_text()


def test_a_plan_of_keys_takes_over_those_and_no_others(cluster: Cluster) -> None:
    plan = cluster.directory / "plan.json"
    cluster.deploy("-y", "plan", "-o", str(plan), "hosts", "trust", "w1")
    assert cluster.known() == set()
    cluster.machines["w1"].show("anew")
    assert "no longer" in cluster.deploy("-y", "apply", str(plan), code=4).stderr
    assert cluster.known() == set()
    cluster.machines["w1"].show("w1")
    cluster.deploy("-y", "apply", str(plan))
    assert cluster.known() == {cluster.machines["w1"].where}


def test_a_copy_is_never_accepted(cluster: Cluster) -> None:
    cluster.machines["w1"].show("infra1")
    rows = cluster.rows("-y", "hosts", "trust", "--changed", code=1)
    assert rows == {"infra1": "shared", "w1": "shared"} and cluster.known() == set()
    cluster.deploy("-y", "hosts", "trust", "infra1")
    done = cluster.deploy("-y", "hosts", "trust", "w1", code=1)
    assert "w1 and infra1 have one host key" in done.stderr
    cluster.machines["w1"].show("own")
    cluster.deploy("-y", "hosts", "trust")


def test_a_copy_is_refused_before_it_gets_a_credential(cluster: Cluster) -> None:
    cluster.deploy("--nodes", "infra1", "execonall", "true")
    cluster.machines["w1"].show("infra1")
    done = cluster.deploy("execonall", "true", code=3)
    assert "w1 has the host key of infra1" in done.stderr and "ssh-keygen -A" in done.stderr
    assert "Accepted" not in cluster.machines["w1"].log.read_text()
    cluster.configure(ssh=", shared_host_keys: true")
    cluster.deploy("execonall", "true")
    assert "Accepted" in cluster.machines["w1"].log.read_text()


def test_machines_that_swapped_addresses_are_accepted_together(cluster: Cluster) -> None:
    cluster.deploy("-y", "hosts", "trust")
    cluster.machines["infra1"].show("w1")
    cluster.machines["w1"].show("infra1")
    cluster.deploy("execonall", "true", code=1)
    rows = cluster.rows("hosts", "trust", "--changed")
    assert rows == {"infra1": "changed", "w1": "changed"}
    cluster.deploy("execonall", "true")


def test_a_jump_host_comes_first_and_its_machine_may_be_a_node_too(cluster: Cluster) -> None:
    jump = cluster.machines["infra1"]
    cluster.configure(ssh=f", jump_host: 'root@{jump.address}:{jump.port}'")
    done = cluster.deploy("-y", "hosts", "trust")
    assert done.stdout.splitlines()[0].startswith(f"jump host {jump.address} ")
    assert cluster.known() == {one.where for one in cluster.machines.values()}
    cluster.deploy("execonall", "true")
    jump.show("anew")
    line = f"deploy.py --dir {cluster.deploy.directory} hosts trust"
    assert line in cluster.deploy("execonall", "true", code=1).stderr
    cluster.deploy("hosts", "trust", "--changed")
    cluster.deploy("execonall", "true")


def test_who_does_not_answer_is_named_and_the_others_are_done(cluster: Cluster) -> None:
    cluster.machines["w1"].stop()
    done = cluster.deploy("-y", "hosts", "trust", code=3)
    assert "w1: it refuses connections" in done.stderr
    assert cluster.known() == {cluster.machines["infra1"].where}


def test_hosts_alone_writes_the_hosts_file_as_before(cluster: Cluster) -> None:
    cluster.deploy("hosts")
    assert "127.0.0.2 w1" in (cluster.directory / "deploy/etc/hosts").read_text()
    assert "trust" in cluster.deploy("hosts", "--help").stdout
