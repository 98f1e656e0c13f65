"""The node scripts: linted, and their functions run against another machine's files (DLWS_ROOT)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.bash import SCRIPTS, bash


@pytest.mark.parametrize(
    ("have", "minimum", "enough"),
    [
        ("430", "430", True),
        ("430.40", "430", True),
        ("440.33.01", "430", True),
        ("418.87.00", "430", False),
        ("1000.1", "430", True),
        ("43", "430", False),
        ("0430", "430", True),
        ("1.72.T2.100.B020", "1.72.T2.100.B020", True),
        ("1.72.T2.100.B021", "1.72.T2.100.B020", True),
        ("1.72.t2.100.b020", "1.72.T2.100.B020", True),
        ("1.72.T2.100.B19", "1.72.T2.100.B020", False),
        ("1.72.T10.100.B001", "1.72.T2.100.B020", True),
        ("1.72.T2.99.B020", "1.72.T2.100.B020", False),
        ("1.71.T9.900.B999", "1.72.T2.100.B020", False),
        ("1.73.5.0.b050", "1.72.T2.100.B020", True),
        ("20.1.0", "1.72.T2.100.B020", True),
        ("21.0.rc1", "1.72.T2.100.B020", True),
        ("23.0.rc1", "23.0.0", False),
        ("23.0.0", "23.0.rc1", True),
        ("1.9", "1.10", False),
        ("08.09", "8.9", True),
    ],
)
def test_versions_compare_by_value(tmp_path: Path, have: str, minimum: str, enough: bool) -> None:
    done = bash('version_at_least "$1" "$2" && echo yes || echo no', tmp_path, have, minimum)
    assert (done.stdout, done.stderr) == ("yes\n" if enough else "no\n", "")


def test_files_are_written_only_when_they_differ(root: Path) -> None:
    path = root / "etc/x y"
    text = 'write_file "$1" 0640 <<<"$2"; finish'
    assert bash(text, root, str(path), "a\n$(id)").stdout == f"changed: wrote {path}\n"
    assert path.read_text() == "a\n$(id)\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert bash(text, root, str(path), "a\n$(id)").stdout == "nothing to do\n"
    path.chmod(0o600)
    assert "mode of" in bash(text, root, str(path), "a\n$(id)").stdout
    assert sorted(os.listdir(path.parent)) == ["apt", "os-release", "x y"]


def test_a_failed_edit_leaves_the_file(root: Path) -> None:
    path = root / "etc/fstab"
    path.write_text("x\n")
    done = bash('edit_file "$1" false; echo on', root, str(path))
    assert (done.returncode, done.stdout, path.read_text()) == (1, "", "x\n")
    assert len(list(path.parent.glob("fstab*"))) == 1


def test_sysctls_are_kept_and_applied(root: Path) -> None:
    forward = root / "proc/sys/net/ipv4/ip_forward"
    forward.write_text("0\n")
    text = "sysctl_file 90-x.conf <<<$1; finish"
    lines = "# why\nnet.ipv4.ip_forward = 1\nnet.nothing.here = 5"
    done = bash(text, root, lines)
    assert forward.read_text() == "1\n"
    assert (root / "etc/sysctl.d/90-x.conf").read_text() == f"{lines}\n"
    assert "net.ipv4.ip_forward = 1 (was 0)" in done.stdout
    assert bash(text, root, lines).stdout.endswith("nothing to do\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('NAME=x\nID="a b"\n', "a b"),
        ("ID=debian", "debian"),
        ("ID='d=1'\nID=other\n", "d=1"),
        ("VERSION_ID=1\nXID=2\n#ID=3\n", None),
        ("", None),
    ],
)
def test_a_field_of_the_system_release(root: Path, text: str, value: str | None) -> None:
    (root / "etc/os-release").write_text(text)
    done = bash("os_field ID; echo end", root)
    said = [] if value is None else [value]
    assert (done.stdout.splitlines(), done.stderr) == ([*said, "end"], "")
    (root / "etc/os-release").unlink()
    assert bash("os_field ID; echo end", root).stdout == "end\n"


UNITS = """
systemd_runs() { :; }
systemctl() {
    local unit=${@: -1}
    case $1 in
        list-unit-files)
            printf '%s enabled\\n' 'off.timer disabled' 'on.timer enabled' 'runs.timer masked' ;;
        is-enabled) case $unit in on*) echo enabled ;; *) echo masked ;; esac ;;
        is-active) [ "$2" = --quiet ] || echo active; [ "$unit" != off.timer ] ;;
        disable) [ "$2" = --now ] && echo "stopped $unit" >>"$DLWS_ROOT/log" ;;
        *) exit 9 ;;
    esac
}
disable_units runs.timer on.timer off.timer old.timer
finish
"""


def test_units_are_disabled_where_they_are_installed(root: Path) -> None:
    found = bash(UNITS, root, DLWS_CHECK="1").stdout.splitlines()
    assert found == [
        "differs: unit\ton.timer\tis enabled, active, not disabled",
        "differs: unit\truns.timer\tis masked, active, not disabled",
    ]
    done = bash(UNITS, root)
    assert done.stdout.splitlines() == [
        "changed: disabled on.timer",
        "changed: disabled runs.timer",
    ]
    assert (root / "log").read_text() == "stopped on.timer\nstopped runs.timer\n"


def test_root_is_asked_of_sudo_with_the_facts(root: Path, tmp_path: Path) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "sudo").write_text('#!/bin/bash\n[ "$2" = true ] || printf "[%s]\\n" "$@"\n')
    (bin_ / "id").write_text("#!/bin/sh\n[ $1 = -u ] && echo 1000 || echo somebody\n")
    for stub in bin_.iterdir():
        stub.chmod(0o755)
    env: dict[str, Any] = {"PATH": f"{bin_}:{os.environ['PATH']}", "DLWS_NODE": "a b'$(id)"}
    done = bash('need_root "$@"; echo not reached', root, "x y", "$(id)", **env)
    assert "[DLWS_NODE=a b'$(id)]" in done.stdout
    assert done.stdout.splitlines()[-2:] == ["[x y]", "[$(id)]"]
    (bin_ / "sudo").write_text("#!/bin/sh\nexit 1\n")
    done = bash("need_root; echo not reached", root, **env)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--sudo" in done.stderr


UPDATEDB = 'PRUNE_BIND_MOUNTS="yes"\nPRUNEPATHS="/tmp /var/spool"\n# PRUNENAMES=".git"\n'


def test_updatedb_leaves_shared_storage_out(root: Path) -> None:
    conf = root / "etc/updatedb.conf"
    conf.write_text(UPDATEDB)
    job = root / "etc/cron.daily/mlocate"
    job.parent.mkdir()
    job.write_text("#!/bin/sh\n")
    job.chmod(0o755)
    env = {**os.environ, "DLWS_ROOT": str(root)}
    words = ["bash", str(SCRIPTS / "disable_mlocate.sh")]
    if os.getuid() != 0:
        pytest.skip("needs root")
    first = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert first.stdout.count("changed:") == 2
    text = conf.read_text()
    assert 'PRUNEPATHS = "/tmp /var/spool /mnt ' in text
    assert "/var/lib/kubelet" in text
    assert re.search(r'^PRUNEFS = "nfs ', text, re.MULTILINE)
    assert text.startswith('PRUNE_BIND_MOUNTS="yes"\n')
    again = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert again.stdout == "nothing to do\n"
    assert conf.read_text() == text
