"""One question to a node, one change where something differs; by a real shell, on other files."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.roles import apply
from dlws.shell import files
from tests.support.fakes import World
from tests.support.toyrole import CONFIG, MakeRole

Worlds = Callable[..., World]


class Machine:
    """Another machine's files, on which a role's scripts run for real: no systemd, no packages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lines: list[str] = []
        self.changes = 0
        for folder in ("etc", "proc/net", "run", "sys/module", "var/lib"):
            (root / folder).mkdir(parents=True)
        (root / "etc/os-release").write_text("ID=debian\n")

    def __call__(self, command: str, stdin: bytes) -> Result | None:
        if stdin[:2] == b"\x1f\x8b":
            return self._questions(stdin)
        if files.RUN in command or "role-toy/toy.sh" in command:
            self.changes += 1
            return self._run(stdin, "bash ./role-toy/toy.sh")
        return None

    def _questions(self, stdin: bytes) -> Result:
        with tarfile.open(fileobj=io.BytesIO(stdin)) as tar:
            member = tar.extractfile("0.sh")
            assert member
            done = self._run(stdin, member.read().decode())
        from base64 import b64encode

        out, err = b64encode(done.out).decode(), b64encode(done.err).decode()
        return Result(0, f"0 {done.code} {out} {err}\n".encode())

    def _run(self, archive: bytes, command: str) -> Result:
        place = self.root.parent / f"work{len(self.lines)}"
        place.mkdir()
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(place, filter="data")
        self.lines.append(command)
        env = {**os.environ, "DLWS_ROOT": str(self.root), "DLWS_CONTAINER": "no"}
        line = ["sh", "-c", command]
        done = subprocess.run(line, cwd=place, env=env, capture_output=True, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def text(self, path: str) -> str:
        return (self.root / path).read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "a machine's root")


@pytest.fixture
def bring(make: Worlds, make_role: MakeRole, machine: Machine) -> Callable[..., World]:
    """Applies the toy role to the machine; or does something else with it."""

    def run(action: Any = apply.apply, **options: Any) -> World:
        if not (machine.root.parent / "templates/nodes/toy").exists():
            make_role()
        world = make(CONFIG, **options)
        world.fakes["npu01"].rules.append(machine)
        action(world.cluster, "toy", ["npu01"])
        return world

    return run


def test_two_round_trips_then_one(
    bring: Callable[..., World], make_role: MakeRole, machine: Machine
) -> None:
    make_role("directories: [/srv/x 0755 root:root]\n", {"etc/x": "y\n"})
    world = bring()
    assert machine.text("etc/x") == "y\n" and (machine.root / "srv/x").is_dir()
    assert world.cluster.run.console.changes == [
        "npu01: made the directory /srv/x (755 root:root)",
        "npu01: wrote /etc/x",
    ]
    assert len(world.fakes["npu01"].asked) == 2
    world = bring()
    assert len(world.fakes["npu01"].asked) == 1 and machine.changes == 1


def test_all_roles_are_one_question_to_those_that_carry_any(
    make: Worlds, make_role: MakeRole, machine: Machine
) -> None:
    make_role("", {"etc/x": "y\n"})
    for expected in (["npu01: wrote /etc/x"], []):
        world = make(CONFIG)
        world.fakes["npu01"].rules.append(machine)
        apply.apply_all(world.cluster, world.cluster.select())
        assert world.cluster.run.console.changes == expected
        assert {name: len(fake.asked) for name, fake in world.fakes.items() if fake.asked} == {
            "npu01": 1 + len(expected)
        }


def test_a_role_that_is_apart_waits_for_a_command_of_its_own(
    make: Worlds, make_role: MakeRole, machine: Machine
) -> None:
    make_role("apart: true", {"etc/x": "y\n"})
    world = make(CONFIG)
    world.fakes["npu01"].rules.append(machine)
    apply.apply_all(world.cluster, world.cluster.select())
    assert not any(fake.asked for fake in world.fakes.values())
    apply.apply(world.cluster, "toy")
    assert world.cluster.run.console.changes == ["npu01: wrote /etc/x"]


def test_a_dry_run_says_it_all_and_changes_nothing(
    bring: Callable[..., World], make_role: MakeRole, machine: Machine
) -> None:
    make_role("", {"etc/x": "y\n"})
    world = bring(dry_run=True)
    (action,) = world.cluster.run.gate.actions
    assert action.text() == "would run: apply role toy"
    assert action.details == ("file /etc/x: is missing",)
    assert machine.changes == 0 and not (machine.root / "etc/x").exists()


def test_what_is_due_is_done_once_and_kept_until_it_is_done(
    bring: Callable[..., World], make_role: MakeRole, machine: Machine
) -> None:
    did, ok = machine.root.parent / "did", machine.root.parent / "ok"
    command = f"echo x >>{did}; test -e {ok}"
    make_role(f"after: {{etc/*: '{command}'}}\n", {"etc/x": "1", "etc/y": "1"})
    with pytest.raises(DeployError, match="this failed: echo x"):
        bring()
    assert machine.text("etc/x") == "1" and did.read_text() == "x\n"
    ok.touch()
    assert bring().cluster.run.console.changes == [f"npu01: ran: {command}"]
    assert did.read_text() == "x\nx\n"
    bring()
    assert machine.changes == 2


def test_files_that_their_check_refuses_are_not_placed(
    bring: Callable[..., World], make_role: MakeRole, machine: Machine
) -> None:
    """What is judged has its own name, and beside it the role's other files."""
    check = 'echo looked; . {} && test -f "$(dirname {})/same" && [ $ok = yes ]'
    role = make_role(
        f"validate: {{etc/b.conf: '{check}'}}\n",
        {"etc/a": "1", "etc/b.conf": "ok=yes", "etc/same": ""},
    )
    bring()
    (role / "etc/a").write_text("2")
    (role / "etc/b.conf").write_text("ok=no")
    with pytest.raises(DeployError, match="would be wrong: its check failed"):
        bring()
    assert (machine.text("etc/a"), machine.text("etc/b.conf")) == ("1", "ok=yes")


def test_what_stood_there_comes_back_and_what_is_old_goes(
    bring: Callable[..., World], make_role: MakeRole, machine: Machine
) -> None:
    (machine.root / "etc/x").write_text("theirs")
    role = make_role("links: {etc/l: x}\nremove: {after: [exit 0]}\n", {"etc/x": "1", "etc/y": "1"})
    bring()
    (role / "etc/y").unlink()
    assert "removed /etc/y" in str(bring().cluster.run.console.changes)
    (role / "etc/x").write_text("2")
    bring()  # ours, which is not kept as if it were theirs
    world = bring(apply.remove)
    assert machine.text("etc/x") == "theirs"
    assert sorted(path.name for path in (machine.root / "etc").iterdir()) == ["os-release", "x"]
    assert list((machine.root / "var/lib/dlws/roles").iterdir()) == []
    assert len(world.fakes["npu01"].asked) == 2
    assert len(bring(apply.remove).fakes["npu01"].asked) == 1


@pytest.mark.parametrize("text", ["it's", '"$HOME" `id` \\', "a; b & c | d > e", "é 漢 #%s", "-n"])
def test_awkward_values_arrive(
    bring: Callable[..., World], make_role: MakeRole, machine: Machine, text: str
) -> None:
    make_role(
        "vars: {x: '{{ config.cluster_name }}'}\nlinks: {\"etc/a link\": '{{ lookup }}'}\n".replace(
            "{{ lookup }}", text.replace("'", "''")
        ),
        {f"etc/a {text}": text},
    )
    bring()
    assert machine.text(f"etc/a {text}") == text
    assert os.readlink(machine.root / "etc/a link") == text
    bring()
    assert machine.changes == 1


def test_a_port_and_a_command_that_must_be_true(
    bring: Callable[..., World], make_role: MakeRole, machine: Machine
) -> None:
    row = "  0: 00000000:1F90 00000000:0000 0A\n"
    (machine.root / "proc/net/tcp").write_text(row)
    make_role("listens: [8080]\ntrue_afterwards: ['test ! -e /nonexistent']\n", {"etc/x": ""})
    bring()
    (machine.root / "proc/net/tcp").write_text(row.replace("1F90", "1F91"))
    (action,) = bring(dry_run=True).cluster.run.gate.actions
    assert action.details == ("port 8080/tcp: is one on which nothing listens",)


def test_a_directory_in_the_way_is_said_before_anything_is_done(
    bring: Callable[..., World], make_role: MakeRole, machine: Machine
) -> None:
    (machine.root / "etc/x").mkdir()
    make_role("", {"etc/x": ""})
    with pytest.raises(DeployError, match="etc/x is a directory"):
        bring()


def test_a_removal_of_what_is_not_there(bring: Callable[..., World], machine: Machine) -> None:
    bring(apply.remove)
    assert machine.changes == 0 and not (machine.root / "var/lib/dlws").exists()
