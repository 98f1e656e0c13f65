"""Struck at every boundary and inside every step, a resumed installation is like any other.

An installation of six steps, with scripts whose effects show how often they took effect, is struck
as often as it has places to strike at: the devbox process killed, a node's link cut, a node's power
cut. Each time it is resumed, until it comes to its end. Then the nodes are compared with nodes on
which nothing happened.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from dlws.sandbox import faults
from dlws.sandbox.state import Sandbox, SandboxNode
from tests.support.killing import PROGRAM
from tests.support.sandboxes import Made, MakeSandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]


SSH = {"connect_timeout": 3, "banner_timeout": 5, "auth_timeout": 10, "keepalive": 0.5}

STEPS = ("build", "sshkey", "hosts", "prepare", "dns", "tools")

TRIVIAL = ("disable_kernel_auto_updates", "disable_mlocate")

SCRIPTS = ("prepare_ubuntu", "docker_network_gc_setup", "dns", "install_kubeadm")

TARGET = "worker1"


# Each part of a script notes that it began and that it ended; what counts is how often.
SCRIPT = """#!/bin/bash
# dlws-needs: root
# dlws-files: pause
set -e
name={name}${{1:+-$1}}
mkdir -p /var/lib/effects
echo "$name begun" >>/var/lib/effects/log
pause=$name; . ./pause
echo "$name ended" >>/var/lib/effects/log
n=$(cat /var/lib/effects/count 2>/dev/null || echo 0); echo $((n + 1)) >/var/lib/effects/count
echo "$name" >/etc/effect-"$name"
{end}
"""

# Says where it is, and goes on when it is told to: only on a node that the test watches.
PAUSE = """if [ -d /var/lib/watched ] && [ ! -e /var/lib/watched/go-"$pause" ]; then
  touch /var/lib/watched/at-"$pause"
  for n in $(seq 600); do [ ! -e /var/lib/watched/go-"$pause" ] || break; sleep 0.1; done
fi
"""

# Takes a program's place on the node, and pauses in it where its last word is the right one.
WRAPPER = """#!/bin/sh
for last; do :; done
[ "$last" != "{word}" ] || {{ pause={name}; . /var/lib/watched/pause; }}
exec {program} "$@"
"""

HOOK = """#!/bin/sh
[ -e "strike-$DLWS_HOOK" ] || exit 0
mv "strike-$DLWS_HOOK" "struck-$DLWS_HOOK"
deploy=$(cut -d' ' -f4 /proc/$PPID/stat)
. "./struck-$DLWS_HOOK"
"""

INSIDE = {
    "sshkey": "useradd",
    "hosts": "mv",
    "prepare": "prepare_ubuntu",
    "prepare, its third script": "docker_network_gc_setup",
    "dns, before its reboot": "dns",
    "dns, after its reboot": "dns-continue",
    "tools": "install_kubeadm",
}

# What differs between two installations that are alike.
UNLIKE = r"etc/resolv.conf$|etc/\.updated$|var/tmp/systemd-|etc/ssl/|home/dlwsadmin/\.dlws(/|$)"
DAY = re.compile(rb"(?m)^((?:[^:\n]*:){2})[0-9]+")
"""The day of the last change in /etc/shadow: midnight may lie between two installations."""

CLEAN = """! uid=$(id -u dlwsadmin 2>/dev/null) || systemctl stop user@$uid.service user-$uid.slice
userdel -r dlwsadmin 2>/dev/null; ! id dlwsadmin 2>/dev/null || exit 1
rm -rf /var/lib/dlws /var/lib/effects /var/lib/watched /etc/effect-* /etc/sudoers.d/dlws-*
rm -f /usr/local/sbin/useradd /usr/local/sbin/mv /etc/*-
cp /root/hosts.before /etc/hosts
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@dataclass
class Bed:
    """A cluster on which an installation can be run, struck, compared and undone."""

    made: Made
    struck: list[str] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        return self.made.directory

    @property
    def sandbox(self) -> Sandbox:
        return self.made.sandbox

    @property
    def target(self) -> SandboxNode:
        return self.sandbox.node(TARGET)

    def root(self, name: str) -> Path:
        """The root directory of a node, as this machine sees it."""
        return self.sandbox.folder(self.sandbox.node(name)) / "root"

    def start(self, *words: str) -> subprocess.Popen[str]:
        line = [sys.executable, str(PROGRAM), "--dir", str(self.directory), *words]
        with (self.directory / "told").open("a") as told:
            return subprocess.Popen(
                line,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                text=True,
            )

    def told(self) -> str:
        return (self.directory / "told").read_text()

    def install(self) -> subprocess.Popen[str]:
        only = [word for step in STEPS for word in ("--only", step)]
        return self.start("up", "onpremise", *only)

    def watch(self) -> None:
        """Let what runs on the target say where it is, and wait there."""
        root = self.root(TARGET)
        write(root / "var/lib/watched/pause", PAUSE)
        for name, program, word in (
            ("useradd", "/usr/sbin/useradd", "dlwsadmin"),
            ("mv", "/bin/mv", "./hosts"),
        ):
            text = WRAPPER.format(name=name, program=program, word=word)
            write(root / "usr/local/sbin" / name, text)

    def at(self, name: str) -> bool:
        return (self.root(TARGET) / f"var/lib/watched/at-{name}").exists()

    def go(self, name: str) -> None:
        (self.root(TARGET) / f"var/lib/watched/go-{name}").touch()

    def clean(self) -> None:
        faults.heal(self.sandbox, self.target)
        for node in self.sandbox.nodes:
            self.made.run(node.name, CLEAN)
        for pattern in ("strike-*", "struck-*", "told"):
            for path in self.directory.glob(pattern):
                path.unlink()
        shutil.rmtree(self.directory / "deploy/runs", ignore_errors=True)
        for path in (self.directory / "deploy").rglob("id_*"):
            path.unlink()
        (self.directory / "deploy/clusterID.yml").unlink(missing_ok=True)
        self.struck.clear()

    def state(self) -> State:
        """What is on each node: every file of /etc, what scripts did, keys, and any remains."""
        key = next((self.directory / "deploy/sshkey").glob("id_*.pub")).read_text().strip()
        return {node.name: self._state(self.root(node.name), key) for node in self.sandbox.nodes}

    def _state(self, root: Path, key: str) -> dict[str, str]:
        places = ("etc", "var/lib/effects", "home", "var/tmp", "usr/local/sbin", "root")
        found = {}
        for path in (path for place in places for path in (root / place).rglob("*")):
            name, facts = str(path.relative_to(root)), path.lstat()
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes().replace(key.encode(), b"(the key)")
                if name.startswith("etc/shadow"):
                    data = DAY.sub(rb"\1(day)", data)
                digest = hashlib.sha256(data).hexdigest()[:12]
                found[name] = f"{digest} {facts.st_mode:o} {facts.st_uid}:{facts.st_gid}"
            elif path.is_dir() and not name.startswith("etc/"):
                found[name] = f"{facts.st_mode:o}"
        return {k: v for k, v in found.items() if not re.match(UNLIKE, k)}

    def effects(self) -> Counter[str]:
        """How often each part of each script took effect on the target."""
        return Counter((self.root(TARGET) / "var/lib/effects/log").read_text().splitlines())


@pytest.fixture(scope="module")
def bed(make_sandbox: MakeSandbox) -> Bed:
    made = make_sandbox(1, 2)
    config = yaml.safe_load(made.config.read_text())
    made.config.write_text(yaml.safe_dump({**config, "ssh": SSH}))
    for name in (*SCRIPTS, *TRIVIAL):
        end = '[ "$DLWS_NODE" != worker1 ] || [ -n "$1" ] || exit 194' if name == "dns" else ""
        text = SCRIPT.format(name=name, end=end)
        write(made.directory / f"scripts/{name}.sh", "true\n" if name in TRIVIAL else text)
    write(made.directory / "scripts/pause", PAUSE)
    for step in STEPS:
        for when in ("before", "after"):
            write(made.directory / f"hooks/{when}-{step}", HOOK)
    for node in made.sandbox.nodes:
        made.run(node.name, "cp /etc/hosts /root/hosts.before; mkdir -p /var/tmp /home")
    return Bed(made)


@pytest.fixture(scope="module")
def whole(bed: Bed) -> tuple[State, Counter[str]]:
    """The state of the nodes, and the effects, after an installation that nothing struck."""
    bed.clean()
    assert bed.install().wait(120) == 0, bed.told()
    return bed.state(), bed.effects()


@pytest.fixture
def fresh(bed: Bed, whole: object) -> Iterator[Bed]:
    bed.clean()
    yield bed
    faults.start(bed.sandbox, bed.target)
    bed.clean()


State = dict[str, dict[str, str]]


def differing(one: State, other: State) -> list[str]:
    """What is not alike on nodes, in words."""
    return [
        f"{node}: {name}: {one[node].get(name)}, not {other[node].get(name)}"
        for node in sorted(one)
        for name in sorted({*one[node], *other[node]})
        if one[node].get(name) != other[node].get(name)
    ]


def kill(bed: Bed, process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)


def cut(bed: Bed, process: subprocess.Popen[str]) -> None:
    faults.cut(bed.sandbox, bed.target)


def power(bed: Bed, process: subprocess.Popen[str]) -> None:
    faults.kill(bed.sandbox, bed.target)
    faults.start(bed.sandbox, bed.target)


Strike = Callable[[Bed, "subprocess.Popen[str]"], None]


def resumed_to_its_end(
    bed: Bed,
    install: Callable[[], subprocess.Popen[str]],
    watch: Callable[[subprocess.Popen[str]], None],
    prepare: Callable[[], None] = lambda: None,
) -> int:
    """Resume as often as it fails; how often that was."""
    prepare()
    process = install()
    for times in range(20):
        while process.poll() is None:
            watch(process)
            time.sleep(0.05)
        faults.start(bed.sandbox, bed.target)
        faults.heal(bed.sandbox, bed.target)
        if process.returncode == 0:
            return times
        prepare()
        process = bed.start("resume")
    raise AssertionError(bed.told())


def test_an_installation_that_nothing_struck_does_each_thing_once(
    whole: tuple[State, Counter[str]],
) -> None:
    state, effects = whole
    parts = {*SCRIPTS, "dns-continue"}
    assert effects == {f"{part} {word}": 1 for part in parts for word in ("begun", "ended")}
    assert set(state) == {"infra1", "worker1", "worker2"}
    assert "etc/effect-install_kubeadm" in state["worker2"]
    assert any(name.startswith("etc/sudoers.d/dlws-") for name in state["infra1"])
    assert not [name for name in state["worker1"] if "var/tmp/dlws" in name or "dlws-new" in name]


BOUNDARIES = [f"{when}-{step}" for step in STEPS for when in ("before", "after")]

CUT = "ip link set {link} down"

POWER = "{python} {program} --dir . sandbox kill worker1"


@pytest.mark.parametrize(("line", "places", "least"), [
    pytest.param("kill -9 $deploy", BOUNDARIES, 12, id="kill"),
    # Between the hook after a step and the one before the next nothing is asked of a node.
    pytest.param(CUT, [*BOUNDARIES[2::2], "after-tools"], 5, id="cut"),
    pytest.param(POWER, [*BOUNDARIES[2::2], "after-tools"], 5, id="power"),
])  # fmt: skip
def test_struck_at_every_boundary(
    fresh: Bed,
    whole: tuple[State, Counter[str]],
    line: str,
    places: list[str],
    least: int,
) -> None:
    words = {"python": sys.executable, "program": PROGRAM}
    words["link"] = faults._link(fresh.sandbox, fresh.target)
    left = list(places)

    def arm() -> None:
        """The next strike: one for each run, which may go on without the node it hits."""
        if left and not list(fresh.directory.glob("strike-*")):
            (fresh.directory / f"strike-{left.pop(0)}").write_text(line.format(**words) + "\n")

    times = resumed_to_its_end(fresh, fresh.install, lambda _: None, arm)
    assert {path.name for path in fresh.directory.glob("str[iu]*-*")} == {
        f"struck-{place}" for place in places
    }
    assert times >= least, fresh.told()
    assert fresh.effects() == whole[1]
    assert differing(fresh.state(), whole[0]) == []


@pytest.mark.parametrize(("strike", "again"), [
    pytest.param(kill, 1, id="kill"),
    pytest.param(cut, 1, id="cut"),
    pytest.param(power, 2, id="power"),
])  # fmt: skip
def test_struck_inside_every_step(
    fresh: Bed,
    whole: tuple[State, Counter[str]],
    strike: Strike,
    again: int,
) -> None:
    fresh.watch()
    places = list(INSIDE.values())

    def watch(process: subprocess.Popen[str]) -> None:
        for place in filter(fresh.at, list(places)):
            places.remove(place)
            strike(fresh, process)
            fresh.go(place)

    times = resumed_to_its_end(fresh, fresh.install, watch)
    assert not places, fresh.told()
    assert times == len(INSIDE), fresh.told()
    # What died with its machine after it had begun is begun once more; it ends once.
    begun = {name: again if name.endswith("begun") else 1 for name in whole[1]}
    assert fresh.effects() == begun
    unwatched = fresh.state()
    for name in ("usr/local/sbin/useradd", "usr/local/sbin/mv", "var/lib/watched"):
        unwatched[TARGET].pop(name, None)
    for state in (unwatched, whole[0]):
        state[TARGET].pop("var/lib/effects/log", None)  # compared above
    assert differing(unwatched, whole[0]) == []


def test_killed_while_a_node_reboots(fresh: Bed, whole: tuple[State, Counter[str]]) -> None:
    struck: list[bool] = []

    def watch(process: subprocess.Popen[str]) -> None:
        if not struck and ": rebooting" in fresh.told():
            struck.append(True)
            process.send_signal(signal.SIGKILL)

    assert resumed_to_its_end(fresh, fresh.install, watch) == 1
    assert fresh.effects() == whole[1]
    assert os.path.exists(fresh.root(TARGET) / "etc/effect-dns-continue")
