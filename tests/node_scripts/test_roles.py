"""What scripts/lib/roles.sh does to a node, with the machine's own tools as stand-ins."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support.bash import Done, bash

STAND_INS = """
for name in groupadd useradd usermod modprobe; do eval "$name() { echo $name \\"\\$@\\"; }"; done
getent() { cat "$DLWS_ROOT/etc/$1" | grep "^$2:"; }
id() { echo users docker; }
package_installed() { grep -qx "$1" "$DLWS_ROOT/packages"; }
install_packages() { echo installed "$@"; }
systemd_runs() { :; }
systemctl() {
    echo "systemctl $*" >>"$DLWS_ROOT/log"
    case $1 in
        is-enabled) cat "$DLWS_ROOT/enabled-$2" 2>/dev/null || { echo disabled; return 1; } ;;
        is-active) [ -e "$DLWS_ROOT/active-${@: -1}" ] ;;
        start | restart) : >"$DLWS_ROOT/active-$2" ;;
        enable) echo enabled >"$DLWS_ROOT/enabled-$2" ;;
    esac
}
begin_role toy
"""


@pytest.fixture
def machine(root: Path) -> Path:
    (root / "etc/passwd").write_text("toy:x:990:990::/srv/toy:/usr/sbin/nologin\n")
    (root / "etc/group").write_text("toy:x:990:\n")
    (root / "sys/module/br_netfilter").mkdir(parents=True)
    (root / "proc/filesystems").write_text("nodev\tnfs4\n\text4\n")
    return root


def run(text: str, machine: Path, check: bool = False, **env: Any) -> Done:
    """The snippet; in check mode the stand-ins of what would change something say so."""
    env |= {"DLWS_CHECK": "1"} if check else {}
    return bash(STAND_INS + text, machine, **env)


@pytest.mark.parametrize(("line", "did"), [
    ("role_group toy ''", []), ("role_group toy 990", []),
    ("role_group new 7", ["groupadd --system --gid 7 new", "changed: made the group new"]),
    ("role_group new ''", ["groupadd --system new", "changed: made the group new"]),
    ("role_user toy '' '' '' /srv/toy /usr/sbin/nologin", []),
    ("role_user toy 990 '' docker /srv/toy /usr/sbin/nologin", []),
    ("role_user toy '' '' docker,video /srv/toy /usr/sbin/nologin",
     ["usermod --append --groups docker,video --home /srv/toy --shell /usr/sbin/nologin toy",
      "changed: changed the user toy"]),
    ("role_user toy '' '' '' '/srv/my toy' /bin/sh",
     ["usermod --home /srv/my toy --shell /bin/sh toy", "changed: changed the user toy"]),
    ("role_user new 7 toy docker,video /x /bin/sh",
     ["useradd --system --no-create-home --uid 7 --groups docker,video --home-dir /x "
      "--shell /bin/sh --gid toy new", "changed: made the user new"]),
    ("role_user new '' '' '' /x /bin/sh",
     ["useradd --system --no-create-home --home-dir /x --shell /bin/sh --user-group new",
      "changed: made the user new"]),
])  # fmt: skip
def test_users_and_groups(machine: Path, line: str, did: list[str]) -> None:
    done = run(line, machine)
    assert done.returncode == 0 and done.stdout.splitlines() == did, done
    found = run(line, machine, check=True)
    assert ("differs: " in found.stdout) is bool(did) and "add" not in found.stdout


@pytest.mark.parametrize("line", ["role_group toy 7", "role_user toy 7 '' '' /srv/toy /bin/sh"])
def test_a_number_that_is_another_is_said_and_nothing_is_changed(machine: Path, line: str) -> None:
    done = run(line, machine)
    assert done.returncode == 1 and "has the number 990 on this node, not 7" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("system", "family"), [
    ("ID=ubuntu\nID_LIKE=debian\n", "debian"), ('ID="openEuler"\n', "redhat"),
    ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "redhat"), ("", "debian"),
])  # fmt: skip
def test_packages_of_the_nodes_family(machine: Path, system: str, family: str) -> None:
    (machine / "etc/os-release").write_text(system)
    text = "role_packages debian deb\nrole_packages redhat 'r|pm'\n"
    names = {"debian": "deb", "redhat": "r|pm"}
    assert run(text, machine).stdout == f"installed {names[family]}\n"
    done = run("role_family suse", machine)
    assert done.returncode == 1 and f"a system of the family {family}" in done.stderr


def test_rpm_packages_are_asked_for_and_installed_by_their_own_tools(machine: Path) -> None:
    """Nobody has run this on such a system: the tools are stand-ins."""
    (machine / "etc/os-release").write_text("ID=openEuler\n")
    tools = (
        'rpm() { [ $3 = there ]; }; dnf() { echo "dnf $*" >&2; case $* in *absent) false; esac; }\n'
    )
    done = bash(f"{tools}install_packages there 'absent|other' x", machine)
    assert done.stderr.splitlines()[-1] == "dnf -q -y install other x"
    assert done.stdout == "changed: installed other x\n"
    done = bash(f"{tools}install_packages there", machine)
    assert done.stdout == ""
    assert "dnf -q -y remove a b" in bash(f"{tools}uninstall_packages a b", machine).stderr


def test_directories_by_names_and_numbers_of_their_owner(machine: Path) -> None:
    line = "role_directory '/srv/a b' 1777 0:0"
    assert run(line, machine).stdout == "changed: made the directory /srv/a b (1777 0:0)\n"
    assert (machine / "srv/a b").stat().st_mode & 0o7777 == 0o1777
    assert run(line, machine).stdout == ""
    assert run(line.replace("0:0", "root:root"), machine).stdout == ""
    (machine / "srv/a b").chmod(0o755)
    found = run(line, machine, check=True).stdout
    assert found == "differs: directory\t/srv/a b\thas 755 root:root, not 1777 0:0\n"


def test_units_are_enabled_and_started_once(machine: Path) -> None:
    line = "role_units a.service b.timer"
    assert run(line, machine, check=True).stdout.count("differs: unit\t") == 2
    assert run(line, machine).stdout.splitlines() == [
        "changed: a.service is enabled and active",
        "changed: b.timer is enabled and active",
    ]
    assert run(line, machine).stdout == "" and run(line, machine, check=True).stdout == ""
    (machine / "active-a.service").unlink()
    (machine / "enabled-a.service").write_text("static\n")
    assert run(line, machine).stdout == "changed: a.service is enabled and active\n"


def test_a_unit_that_does_not_start_keeps_no_other_from_it(machine: Path) -> None:
    refusing = 'enable_unit() { case $1 in a.* | c.*) return 1 ;; esac; systemctl start "$1"; }'
    done = run(f"{refusing}; role_units a.mount b.mount c.mount d.mount", machine)
    assert done.returncode == 1
    assert "error: a.mount c.mount does not start" in done.stderr
    assert "journalctl -u a.mount" in done.stderr
    assert done.stdout.splitlines() == [
        "changed: b.mount is enabled and active",
        "changed: d.mount is enabled and active",
    ]


def test_a_share_that_cannot_be_mounted_names_its_server_and_the_cure(machine: Path) -> None:
    away = "systemctl() { echo root@10.0.0.9:/srv; }; enable_unit() { return 1; }"
    done = run(f"{away}; role_units a.mount b.mount", machine)
    assert "error: a.mount b.mount does not start (server: 10.0.0.9)" in done.stderr
    assert "cure: see that 10.0.0.9 is up, serves that share and lets this node in" in done.stderr
    assert "journalctl -u a.mount" in done.stderr


@pytest.mark.parametrize(("source", "server"), [
    ("nas:/x", "nas"), ("joe@nas.example.org:/a:b@c", "nas.example.org"),
    ("//acc.file/x", "acc.file"),
    ("[fe80::1]:/x", "fe80::1"), ("joe@[fe80::1]:/x", "fe80::1"), ("nas:volume", "nas"),
    ("/dev/sdb", ""), ("tmpfs", ""), ("/srv/a:b", ""), ("", ""),
])  # fmt: skip
def test_the_server_of_what_is_mounted(machine: Path, source: str, server: str) -> None:
    assert run(f"server_of {shlex.quote(source)}", machine).stdout == server


def due(machine: Path, *keys: str) -> None:
    place = machine / "var/lib/dlws/roles/toy/due"
    place.mkdir(parents=True, exist_ok=True)
    for key in keys:
        (place / key).touch()


def did(machine: Path) -> list[str]:
    lines = (machine / "log").read_text().splitlines() if (machine / "log").exists() else []
    return [line for line in lines if " is-" not in line and " unmask " not in line]


def test_what_is_due_is_done_and_a_unit_just_started_is_not_restarted(machine: Path) -> None:
    (machine / "active-a.service").touch()
    (machine / "enabled-a.service").write_text("enabled\n")
    due(machine, "1", "2", "3")
    text = (
        "role_due 1 daemon-reload systemd ''\nrole_units a.service b.service\n"
        "role_due 2 restart a.service ''\nrole_due 3 restart b.service ''\n"
        "role_due 4 reload a.service ''\n"
    )
    found = run(text, machine, check=True).stdout
    assert found.count("differs: due\t") == 3 and did(machine) == []
    assert run(text, machine).returncode == 0
    assert did(machine) == [
        "systemctl daemon-reload",
        "systemctl enable b.service",
        "systemctl start b.service",
        "systemctl restart a.service",
    ]
    assert "due" not in run(text, machine, check=True).stdout


@pytest.mark.parametrize("container", ["yes", "no"])
def test_a_module_that_the_kernel_lacks(machine: Path, container: str) -> None:
    """Around a container it is another machine's: what needs it is left out there."""
    due(machine, "1", "2")
    text = (
        "modprobe() { return 1; }\nrole_modules br-netfilter nfs4 nfsd\nrole_units a.service\n"
        "role_due 1 restart a.service ''\nrole_due 2 then x /nonexistent\n"
        "role_listens 2049 tcp\nrole_true /nonexistent x\n"
    )
    done = run(text, machine, DLWS_CONTAINER=container)
    if container == "no":
        assert done.returncode == 1 and "error: this kernel has no module nfsd" in done.stderr
        return
    assert done.stdout == (
        "the kernel around this container lacks nfsd: no unit of the role toy is started\n"
    )
    assert did(machine) == [] and done.returncode == 0
    assert "differs" not in run(text, machine, check=True, DLWS_CONTAINER=container).stdout


def test_packages_are_removed_where_the_role_is_on_record(machine: Path) -> None:
    (machine / "packages").write_text("b\n")
    text = 'uninstall_packages() { echo removed "$@"; }\n'
    line = f"{text}remove_packages debian 'a|b' c\n"
    assert run(line, machine).stdout == ""
    place = machine / "var/lib/dlws/roles/toy"
    (place / "record").write_text("")
    assert run(line, machine, check=True).stdout == "differs: package\tb\tis of the role toy\n"
    assert run(line, machine).stdout == "removed b\nchanged: removed the packages b\n"


def test_whether_it_works_is_asked_where_nothing_else_differs(machine: Path) -> None:
    text = "role_listens 80 tcp\nrole_true /nonexistent 'is it'\n"
    assert run(text, machine, check=True).stdout == (
        "differs: port\t80/tcp\tis one on which nothing listens\n"
    )
    (machine / "proc/net").mkdir()
    (machine / "proc/net/tcp6").write_text(f"0: {'0' * 32}:0050 {'0' * 32}:0000 0A\n")
    assert run(text, machine, check=True).stdout.startswith("differs: state\tis it\tfails: ")
    assert "state" not in run(f"role_directory /x 755 0:0\n{text}", machine, check=True).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")
@pytest.mark.parametrize("line", [
    "role_directory /home/drop 777 nobody",
    "role_directory /home/drop/x 755 root:root",
    "role_link /home/drop/x /y",
    "role_file m /home/drop/x 644 root:root 0 ''",
])  # fmt: skip
@pytest.mark.parametrize("check", [True, False])
def test_nothing_is_placed_or_given_away_through_links_of_others(
    machine: Path, line: str, check: bool
) -> None:
    (machine / "home").mkdir()
    os.chown(machine / "home", 65534, 65534)
    (machine / "home/drop").symlink_to("../etc")
    os.chown(machine / "home/drop", 65534, 65534, follow_symlinks=False)
    before = sorted((machine / "etc").iterdir()), (machine / "etc").stat()
    done = run(line, machine, check=check)
    assert done.returncode != 0 and "is a link that others" in done.stderr + done.stdout
    after = sorted((machine / "etc").iterdir()), (machine / "etc").stat()
    assert after == before


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")
def test_a_link_of_root_is_a_part_of_the_system(machine: Path) -> None:
    (machine / "srv").mkdir()
    (machine / "data").symlink_to("srv")
    done = run("role_directory /data/x 750 root:root; role_link /data/y /z", machine)
    assert done.returncode == 0, done
    assert (machine / "srv/x").stat().st_mode & 0o777 == 0o750
    assert (machine / "srv/y").readlink() == Path("/z")


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(machine: Path) -> None:
    os.mkfifo(machine / "etc/x")
    done = run("role_file m /etc/x 644 root:root 0 ''", machine, check=True)
    assert "is no file" in done.stdout


AUTO = "role_units x.automount"


@pytest.mark.parametrize(("made", "container", "said"), [
    ((), False, ["changed: x.automount is enabled and active"]),
    (("dev/autofs",), True, ["changed: x.automount is enabled and active"]),
    (("enabled-x.automount", "active-x.automount"), False, []),
    # One without autofs is no news, nor is one whose file system is mounted: it could not start.
    (("enabled-x.automount",), True, []), (("enabled-x.automount", "active-x.mount"), False, []),
])  # fmt: skip
def test_automounts(machine: Path, made: tuple[str, ...], container: bool, said: list[str]) -> None:
    for name in made:
        (machine / name).parent.mkdir(exist_ok=True)
        (machine / name).write_text("enabled")
    found = bash(STAND_INS + AUTO, machine, container=container, DLWS_CHECK="1")
    assert ("differs: " in found.stdout) is bool(said), found
    done = bash(STAND_INS + AUTO, machine, container=container)
    assert done.returncode == 0 and done.stdout.splitlines() == said, done


def test_an_automount_that_cannot_start_is_enabled(machine: Path) -> None:
    (machine / "active-x.mount").touch()
    done = bash(STAND_INS + AUTO, machine)
    assert done.returncode == 0 and (machine / "enabled-x.automount").exists()
    assert "start x.automount" not in (machine / "log").read_text()
    bash(STAND_INS + ":>$ROLE_PLACE/due/k; role_due k restart x.automount ''", machine)
    assert "restart x.automount" not in (machine / "log").read_text()


def test_what_came_last_is_stopped_first(machine: Path) -> None:
    """An automount that goes would detach a busy file system."""
    units = ("x.automount", "x.mount")
    for unit in units:
        (machine / f"enabled-{unit}").write_text("enabled")
    place = machine / "var/lib/dlws/roles/toy"
    for line in ("role_prune", "remove_kinds unit"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "record").write_text("".join(f"unit {unit}\n" for unit in units))
        done = run(line, machine)
        assert done.stdout.splitlines() == [
            "changed: stopped and disabled x.mount", "changed: stopped and disabled x.automount"
        ], done  # fmt: skip


def test_folders_are_made_and_otherwise_left_alone(machine: Path) -> None:
    line = "role_folder '/mnt/a b/new' 777"
    found = run(line, machine, check=True)
    assert "differs: directory\t/mnt/a b/new\tis missing" in found.stdout
    assert run(line, machine).stdout == "changed: made the directory /mnt/a b/new (777)\n"
    made = machine / "mnt/a b/new"
    assert made.stat().st_mode & 0o7777 == 0o777
    made.chmod(0o750)
    assert run(line, machine).stdout == "" and made.stat().st_mode & 0o7777 == 0o750
    assert run(f"ROLE_LACKS=nfs; {line}x", machine).stdout == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")
def test_no_folder_is_made_through_a_link_of_others(machine: Path) -> None:
    (machine / "mnt").mkdir(mode=0o777)
    (machine / "mnt").chmod(0o777)
    (machine / "mnt/y").symlink_to("../etc")
    done = run("role_folder /mnt/y/new 777", machine)
    assert done.returncode != 0 and "is a link that others" in done.stderr
    assert not (machine / "etc/new").exists()


def test_a_share_that_does_not_answer_ends_it_and_hangs_nobody(machine: Path) -> None:
    line = r"30 28 0:5 / /mnt/a\040b rw shared:1 - fuse.sshfs joe@nas:/x rw"
    (machine / "proc/self").mkdir(parents=True, exist_ok=True)
    (machine / "proc/self/mountinfo").write_text(f"22 1 0:2 / / rw - ext4 /dev/a rw\n{line}\n")
    done = run("timeout() { return 137; }; role_folder '/mnt/a b/c' 777", machine)
    assert done.returncode == 1 and "/mnt/a b/c does not answer" in done.stderr
    assert "(server: nas)" in done.stderr and "cure: see that nas is up" in done.stderr
    done = run("timeout() { return 137; }; role_folder /mnt/a 777", machine)
    assert done.returncode == 1 and "cure: see that the server of that share" in done.stderr


@pytest.mark.parametrize("words", [
    "Input/output error", "Transport endpoint is not connected", "No route to host",
])  # fmt: skip
def test_a_share_whose_server_is_away_lacks_nothing(machine: Path, words: str) -> None:
    stat = f"stat: cannot statx '/mnt/a/b': {words}"
    done = run(f'timeout() {{ echo "{stat}" >&2; return 1; }}; role_folder /mnt/a/b 777', machine)
    assert done.returncode == 1 and f"/mnt/a/b does not answer: {words}" in done.stderr
    assert "server of that share" in done.stderr and "missing" not in done.stderr
    assert not (machine / "mnt/a").exists()
