"""Names, networks, parsing and plans of a sandbox, without any node."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.core import resources
from dlws.core.connection import Local, Result
from dlws.sandbox import nodes, state
from dlws.shell.quoting import sh
from dlws.ssh.hostkeys import HostKeys
from tests.support.sandboxes import BOX
from tests.support.sshd import write_key


def test_mounts_come_deepest_first_and_of_this_folder_only() -> None:
    lines = ["/", "/s/a b-1", "/s/a b-1/root", "/s/a b-11"]
    text = "\n".join(f"1 2 0:3 / {line.replace(' ', chr(92) + '040')} rw - x" for line in lines)
    assert nodes.mounts_below(text, Path("/s/a b-1")) == ["/s/a b-1/root", "/s/a b-1"]


@pytest.fixture
def runc(tmp_path: Path) -> Callable[..., Result]:
    """Runs the node's runc for Docker, in front of one that says how it was called."""
    (tmp_path / "runc").write_text('#!/bin/sh\necho "$@"\nexit 7\n')
    (tmp_path / "runc").chmod(0o755)
    wrapper = resources.templates() / "sandbox/runc.sh"
    path = f"PATH={tmp_path}:/usr/bin:/bin"

    def run(*words: object, before: tuple[str, ...] = ()) -> Result:
        done = Local().run(sh("env", path, *before, "sh", wrapper, "--root", "/r", *words))
        assert (done.code, done.text) == (7, sh("--root", "/r", *words)), done.complaint
        return done

    return run


def test_docker_asks_runc_for_no_score_that_a_node_may_not_give(
    runc: Callable[..., Result], tmp_path: Path
) -> None:
    """In what a container and what a command in it is made from."""
    config, process = tmp_path / "config.json", tmp_path / "process"
    for file in (config, process):
        file.write_text('{"oomScoreAdj":-998,"x":-5}')
    runc("create", "--bundle", tmp_path, "one")
    runc("exec", "--process", process, "one")
    for file in (config, process):
        assert file.read_text() == '{"oomScoreAdj":0,"x":-5}'


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up capabilities for others")
@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ('["CAP_CHOWN","CAP_SYS_TIME","CAP_KILL"]', '["CAP_CHOWN","CAP_KILL"]'),
        ('["CAP_CHOWN","CAP_SYS_MODULE","CAP_SYS_TIME"]', '["CAP_CHOWN"]'),
        ('["CAP_SYS_MODULE","CAP_SYS_TIME"]', "[]"),
        ('["CAP_CHOWN"],"args":["a,]"]', '["CAP_CHOWN"],"args":["a,]"]'),
    ],
)
def test_docker_gives_no_capability_that_a_node_has_not(
    runc: Callable[..., Result], tmp_path: Path, asked: str, given: str
) -> None:
    (tmp_path / "config.json").write_text(asked)
    without = ("setpriv", "--bounding-set", "-sys_time,-sys_module")
    runc("create", "--bundle", tmp_path, "one", before=without)
    assert (tmp_path / "config.json").read_text() == given


def test_hosts_names_each_node_fully_and_shortly() -> None:
    assert "10.77.4.14 a.example.org a\n" in nodes.hosts(BOX)


def test_nodes_are_known_by_the_keys_that_were_made_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody is asked about them, whatever passwords are sent, and after each `up`."""
    monkeypatch.setattr(state, "REGISTRY", tmp_path)
    keys = BOX.folder(BOX.nodes[0]) / "root/etc/ssh"
    keys.mkdir(parents=True)
    known = tmp_path / "known_hosts"
    known.write_text("10.77.4.13 ssh-ed25519 AAAA\nother ssh-ed25519 AAAA\n")
    for name in ("one", "two"):
        write_key(tmp_path / name)
        public = (tmp_path / f"{name}.pub").read_text()
        (keys / "ssh_host_ed25519_key.pub").write_text(public)
        nodes.know(BOX, HostKeys(known))
        line = " ".join(public.split()[:2])
        assert known.read_text().splitlines()[1:] == [
            "other ssh-ed25519 AAAA",
            f"10.77.4.14 {line}",
        ]
        before = known.stat().st_ino
        nodes.know(BOX, HostKeys(known))
        assert known.stat().st_ino == before


def test_write_never_goes_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").symlink_to(outside)
    nodes.write(tmp_path, "etc/resolv.conf", "new", 0o640)
    assert outside.read_text() == "mine"
    assert (tmp_path / "etc/resolv.conf").read_text() == "new"
    assert (tmp_path / "etc/resolv.conf").stat().st_mode & 0o777 == 0o640
