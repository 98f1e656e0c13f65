"""A role that is files alone, on a real node: applied, cut off, refused, verified, taken away."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support import toyrole
from tests.support.boxes import running
from tests.support.deploy import Deploy
from tests.support.sandboxes import Made, MakeSandbox
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sandbox

SECRET = "to'y $ecret"
STARTS = "wc -l </run/toy.started"
OPERATIONS = "ls /var/lib/dlws/ops | wc -l"
"""How many commands were run on a node that may change it."""


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def box(make_sandbox: MakeSandbox) -> Made:
    made = make_sandbox(1, 1)
    with made.config.open("a") as config:
        config.write(f"mysql_password: {json.dumps(SECRET)}\n")
        config.write("nfs_disk_mnt: {infra1: {path: /srv/nfs, fileshares: [/srv/nfs/share]}}\n")
    for words in (("build",), ("sshkey", "install")):
        Deploy(made.directory)(*words)
    toyrole.write(made.directory)
    made.run("worker1", "echo theirs >/etc/toy.conf")
    return made


@pytest.fixture
def deploy(box: Made) -> Deploy:
    return Deploy(box.directory)


@pytest.fixture
def folder(box: Made) -> Path:
    return box.directory / "templates/nodes/toy"


def test_a_dry_run_and_a_plan_say_what_would_be_done(
    box: Made, deploy: Deploy, tmp_path: Path
) -> None:
    told = deploy("--dry-run", "--diff", "role", "apply", "toy").stderr
    for words in (
        "worker1: would run: apply role toy",
        *("package tree: is not installed", "user toy: is missing"),
        *("directory /srv/toy box: is missing", "file /etc/toy.conf: has other content"),
        *("-theirs", "+greeting=worker1 of", "unit toy.service: is "),
        "content not shown: mode 600",
    ):
        assert words in told, told
    assert SECRET not in told
    assert box.run("worker1", "cat /etc/toy.conf; ls -d /var/lib/dlws/roles || true") == "theirs"
    assert "toy" in deploy("plan", "role", "apply", "toy", "-o", str(tmp_path / "plan")).stdout


def test_it_is_brought_to_its_node_and_a_second_time_changes_nothing(
    box: Made, deploy: Deploy, tmp_path: Path
) -> None:
    deploy("plan", "role", "apply", "toy", "-o", str(tmp_path / "plan"))
    deploy("apply", str(tmp_path / "plan"))
    name = box.run("worker1", "sed -n s/^greeting=//p /etc/toy.conf")
    assert name.startswith("worker1 of ") and name.endswith(toyrole.GREETING)
    address = box.sandbox.address(box.sandbox.node("infra1"))
    assert f"infra1 {address}" in box.run("worker1", "cat /etc/toy.conf")
    modes = "stat -c '%n %a %U:%G' /etc/toy/* /etc/toy.conf /usr/local/bin/toy '/srv/toy box'"
    assert box.run("worker1", modes).splitlines() == [
        "/etc/toy/owned 640 root:toy",
        "/etc/toy/password 600 root:root",
        "/etc/toy.conf 644 root:root",
        "/usr/local/bin/toy 755 root:root",
        "/srv/toy box 750 toy:toy",
    ]
    assert box.run("worker1", "cat /etc/toy/password") == SECRET
    assert box.run("worker1", "tree --version; readlink /usr/local/bin/toy-link").endswith("toy")
    assert box.run("worker1", "systemctl is-enabled toy; systemctl is-active toy toyport.socket")
    assert box.run("worker1", STARTS) == "1"  # it was started with its files, and not restarted
    assert box.run("infra1", "ls /etc/toy.conf 2>/dev/null || true") == ""

    before = box.run("worker1", OPERATIONS)
    assert "nothing to do" in deploy("role", "apply", "toy").stderr
    assert box.run("worker1", OPERATIONS) == before
    deploy("role", "verify", "toy")


def test_a_changed_file_restarts_its_unit_once(box: Made, deploy: Deploy, folder: Path) -> None:
    before = int(box.run("worker1", STARTS))
    toyrole.replace(folder / "role.yaml", "}}: it", "}}, again: it")
    toyrole.replace(folder / "etc/toy/owned", "owned", "owned by us")
    told = said(deploy("role", "apply", "toy"))
    assert told.count("changed: wrote ") == 2 and told.count("restart toy.service") == 1
    assert box.run("worker1", STARTS) == str(before + 1)
    assert "again: it" in box.run("worker1", "cat /etc/toy.conf")


def test_a_run_that_is_killed_between_files_and_restart_is_made_good(
    box: Made, deploy: Deploy, folder: Path
) -> None:
    before = int(box.run("worker1", STARTS))
    box.run("worker1", "touch /root/block")
    toyrole.replace(folder / "role.yaml", "again: it", "once more: it")
    with running(box.directory, "role", "apply", "toy") as run:
        wait_until(lambda: box.run("worker1", "ls /root") == "block\nblocked", 60)
        run.kill()
        box.run("worker1", "pkill -9 -f role-[t]oy/toy.sh; rm /root/block /root/blocked")
    assert "once more" in box.run("worker1", "cat /etc/toy.conf")
    assert box.run("worker1", STARTS) == str(before)
    found = deploy("role", "verify", "toy", code=5).stdout
    assert "worker1: due restart toy.service" in found
    deploy("resume")
    assert box.run("worker1", STARTS) == str(before + 1)
    assert "nothing to do" in deploy("role", "apply", "toy").stderr


def test_a_file_that_its_check_refuses_is_not_put_in_place(
    box: Made, deploy: Deploy, folder: Path
) -> None:
    old, starts = box.run("worker1", "cat /etc/toy.conf"), box.run("worker1", STARTS)
    toyrole.replace(folder / "etc/toy.conf.j2", "greeting=", "salute=")
    toyrole.replace(folder / "etc/toy/owned", "owned by us", "owned by them")
    told = deploy("role", "apply", "toy", code=1).stderr
    assert "/etc/toy.conf would be wrong" in told and "none of the role's files" in told
    assert box.run("worker1", "cat /etc/toy.conf") == old
    assert box.run("worker1", "cat /etc/toy/owned") == "owned by us"
    assert box.run("worker1", STARTS) == starts
    toyrole.replace(folder / "etc/toy.conf.j2", "salute=", "greeting=")
    toyrole.replace(folder / "etc/toy/owned", "owned by them", "owned by us")
    assert "nothing to do" in deploy("role", "apply", "toy").stderr


def test_drift_is_found_and_mended(box: Made, deploy: Deploy) -> None:
    starts = int(box.run("worker1", STARTS))
    box.run("worker1", "echo x >>/etc/toy.conf; rm /usr/local/bin/toy-link; chmod 644 /etc/toy/p*")
    box.run("worker1", "systemctl disable --now toyport.socket; systemctl stop toy")
    seen = json.loads(deploy("role", "verify", "toy", "--output", "json", code=5).stdout)
    (node,) = seen["nodes"]
    assert {(one["kind"], one["what"]) for one in node["differences"]} == {
        *(("file", "/etc/toy.conf"), ("file", "/etc/toy/password")),
        *(("link", "/usr/local/bin/toy-link"), ("unit", "toy.service")),
        ("unit", "toyport.socket"),
    }
    assert all(one["place"].startswith("config.yaml:") for one in node["differences"])
    assert "no differences on 1 node" in deploy("role", "verify", "toy", "--fix").stdout
    assert int(box.run("worker1", STARTS)) == starts + 1


def test_what_left_the_role_leaves_the_node(box: Made, deploy: Deploy, folder: Path) -> None:
    (folder / "etc/toy/owned").unlink()
    toyrole.replace(folder / "role.yaml", 'files: {etc/toy/owned: "0640 root:toy"}\n', "")
    assert "is left of an earlier version" in deploy("role", "verify", "toy", code=5).stdout
    deploy("role", "apply", "toy")
    assert box.run("worker1", "ls /etc/toy") == "password"


def test_it_is_taken_away_and_what_was_there_before_comes_back(box: Made, deploy: Deploy) -> None:
    box.run("worker1", "echo data >'/srv/toy box/data'")
    dry = deploy("--dry-run", "role", "remove", "toy").stderr
    assert "would run: remove role toy" in dry and "unit toy.service: is of the role toy" in dry
    deploy("role", "remove", "toy")
    assert box.run("worker1", "cat /etc/toy.conf '/srv/toy box/data' /root/gone") == (
        "theirs\ndata\ngone"
    )
    gone = "ls -d /usr/local/bin/toy* /etc/systemd/system/toy* /etc/toy/* /var/lib/dlws/roles/*"
    assert box.run("worker1", f"{gone} 2>/dev/null || true") == ""
    assert box.run("worker1", "systemctl is-active toy || true") == "inactive"
    assert "nothing to do" in deploy("role", "remove", "toy").stderr


def test_an_nfs_server_on_a_kernel_that_has_none(box: Made, deploy: Deploy) -> None:
    """What can be had of it: packages, directory, exports. Its unit cannot run in a container."""
    box.run("infra1", "mkdir -p /srv/nfs/share && echo theirs >/srv/nfs/share/f")
    assert "around this container lacks nfsd" in said(deploy("nfs-server", "create"))
    assert box.run("infra1", "cat /srv/nfs/share/f") == "theirs"
    exports = box.run("infra1", "cat /etc/exports.d/dlws.exports")
    for node in box.sandbox.nodes:
        assert f" {box.sandbox.address(node)}(rw,sync,no_subtree_check,root_squash)" in exports
    assert "no_root_squash" not in exports
    assert box.run("infra1", "cat /etc/nfs.conf.d/dlws.conf").endswith("vers3=n")
    assert box.run("infra1", "systemctl is-enabled rpcbind.socket || true") == "masked"
    assert ":111 " not in box.run("infra1", "ss -ltnu")
    assert box.run("infra1", "stat -c '%a %U:%G' /srv/nfs/share") == "777 nobody:nogroup"
    shown = box.run("infra1", "exportfs -ra 2>/root/said; exportfs -s; cat /root/said")
    assert "/srv/nfs/share" in shown and "syntax" not in shown, shown
    assert "nothing to do" in deploy("nfs-server", "create").stderr
    deploy("role", "verify", "nfs-server")
