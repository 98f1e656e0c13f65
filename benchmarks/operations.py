"""Four operations on many hosts, by dlws and by its peers: python -m benchmarks.operations.

Those of the published comparisons: a file that is there, a file copied, a command, a user.
The hosts run what they are sent, each with a /srv and an /etc/passwd of its own, which takes root.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import fanout, measure
from benchmarks.measure import BENCH_VENV, PYTHON, ROOT, Figures, Sample
from tests.support.farm import Farm, cluster
from tests.support.farm.shell import ENTER

WORK = ROOT / "benchmarks/peers/operations"
PASSWD = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\n"
USERADD = """#!/bin/sh
# Stands in for useradd on a farm's hosts: the last word is the name.
for name; do :; done
echo "$name:x:5000:5000::/home/$name:/bin/sh" >>/etc/passwd
"""
WORLD = (
    'mount --bind "$1/srv" /srv && mount --bind "$1/passwd" /etc/passwd && echo && exec sleep inf'
)
_MULTIPLEXING = ("-o", "ControlMaster=auto", "-o", "ControlPersist=60s")  # ansible's default
ONE, FOUR = "dlws", "dlws, one run for each"
TARGETS = {"pyinfra": 3, "ansible": 10}


@dataclass(frozen=True)
class Contender:
    """A way to do all four: command lines, one after the other."""

    commands: Sequence[Sequence[str]]
    env: Mapping[str, str] = field(default_factory=dict)


class Machines:
    """The hosts of a farm, each with a /srv and an /etc/passwd of its own."""

    def __init__(self, farm: Farm) -> None:
        self.homes = [farm.home(host.name) for host in farm.hosts]
        self._keepers: list[subprocess.Popen[bytes]] = []
        useradd = farm.directory / "bin/useradd"
        useradd.write_text(USERADD)
        useradd.chmod(0o755)

    def __enter__(self) -> Machines:
        for home in self.homes:
            (home / "srv").mkdir(parents=True)
            (home / "passwd").write_text(PASSWD)
            keeper = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", WORLD, "sh", home], stdout=subprocess.PIPE
            )
            self._keepers.append(keeper)
            assert keeper.stdout
            if keeper.stdout.readline() != b"\n":
                sys.exit("a host gets no mounts of its own: run this as root")
            words = ["nsenter", f"--mount=/proc/{keeper.pid}/ns/mnt", f"--wd={home}"]
            (home / ENTER).write_text("\n".join(words))
        return self

    def __exit__(self, *_: object) -> None:
        for keeper in self._keepers:
            keeper.kill()
            keeper.communicate()

    def renew(self) -> None:
        """As they were before anything was done."""
        for home in self.homes:
            for path in (home / "srv").iterdir():
                path.unlink()
            (home / "passwd").write_text(PASSWD)

    def wrong(self) -> list[str]:
        """The hosts on which not all four have been done, and once."""
        return [home.name for home in self.homes if not _done(home)]


def _done(home: Path) -> bool:
    file, put = home / "srv/file", home / "srv/put"
    return (
        file.exists()
        and file.stat().st_mode & 0o777 == 0o644
        and put.exists()
        and put.read_bytes() == (WORK / "content").read_bytes()
        and (home / "passwd").read_text().count("\nbench:") == 1
    )


def contenders(place: Path, ours: Path) -> dict[str, Contender]:
    peers = BENCH_VENV / "bin"
    deploy = [PYTHON, str(ROOT / "deploy.py"), "--dir", str(ours)]
    file = "[ $(stat -c %a /srv/file) = 644 ] || { touch /srv/file; chmod 644 /srv/file; }"
    settings = fanout.ansible_settings(place, *_MULTIPLEXING)
    pyinfra = [str(peers / "pyinfra"), "-y", "--parallel", "32", str(place / "inventory.py")]
    ansible = [str(peers / "ansible-playbook"), "-i", str(place / "inventory.ini"), "-f", "50"]
    ansible += ["-u", cluster.USER, "--private-key", str(place / "id_ed25519")]
    return {
        ONE: Contender([[*deploy, "runscriptonall", str(WORK / "dlws.sh")]]),
        FOUR: Contender(
            [
                [*deploy, "doonall", file],
                [*deploy, "copytoall", str(WORK / "content"), "/srv/put"],
                [*deploy, "doonall", "echo hello"],
                [*deploy, "doonall", "getent passwd bench >/dev/null || useradd bench"],
            ]
        ),
        "pyinfra": Contender([[*pyinfra, str(WORK / "pyinfra_deploy.py")]]),
        "ansible": Contender([[*ansible, str(WORK / "ansible.yaml")]], settings),
    }


def once(one: Contender, out: Path) -> Sample:
    """All its command lines, as one sample."""
    wall = cpu = 0.0
    for command in one.commands:
        sample = measure.run(command, out, one.env, cwd=WORK)
        wall, cpu = wall + sample.wall, cpu + sample.cpu
        if sample.code:
            break
    return Sample(wall, cpu, sample.code, sample.out)


@dataclass(frozen=True)
class Taken:
    """The runs on hosts where all is to be done, and those right after, where nothing is."""

    first: Figures
    second: Figures


def take(
    found: Mapping[str, Contender], machines: Machines, place: Path, runs: int
) -> dict[str, Taken]:
    """All contenders one after the other, `runs` times over; what they did is checked each time."""
    samples: dict[str, tuple[list[Sample], list[Sample]]] = {name: ([], []) for name in found}
    for number in range(runs):
        for name, one in found.items():
            machines.renew()
            for taken in samples[name]:
                measure.settle()
                sample = once(one, place / "out")
                wrong = machines.wrong()
                if sample.code or wrong:
                    told = f"{name}: status {sample.code}, not done on {len(wrong)}"
                    sys.exit(f"{told}\n{sample.out[-3000:]}")
                taken.append(sample)
                print(
                    f"{number + 1}/{runs} {name}: {sample.wall:.2f} s, CPU {sample.cpu:.2f} s",
                    flush=True,
                )
            hang_up(place / "mux")
    return {name: Taken(*map(measure.figures, both)) for name, both in samples.items()}


def hang_up(sockets: Path) -> None:
    """End the connections that ansible leaves open."""
    for path in sockets.glob("*") if sockets.exists() else ():
        subprocess.run(["ssh", "-O", "exit", "-S", path, "-"], capture_output=True, check=False)


def table(taken: Mapping[str, Taken], hosts: int) -> str:
    base = taken[ONE]
    lines = [
        f"{hosts} hosts, medians of {base.first.runs} interleaved runs, seconds.",
        "",
        "| | first run | ratio | client CPU | second run | ratio | client CPU |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, both in taken.items():
        cells = (_cells(both.first, base.first), _cells(both.second, base.second))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", verdict(taken)])


def _cells(one: Figures, ours: Figures) -> str:
    ratio = one.wall_median / ours.wall_median
    return f"{one.wall_median:.2f} | {ratio:.1f} | {one.cpu_median:.2f}"


def verdict(taken: Mapping[str, Taken]) -> str:
    """Whether the targets are met, in the run in which we are worse."""
    base, words = taken[ONE], list[str]()
    for name, target in TARGETS.items():
        if name not in taken:
            continue
        pairs = ((taken[name].first, base.first), (taken[name].second, base.second))
        ratio = min(one.wall_median / ours.wall_median for one, ours in pairs)
        words.append(
            f"{ratio:.1f} times as quick as {name} (target: {target}): "
            f"{'met' if ratio >= target else 'MISSED'}"
        )
    return f"At least {'; '.join(words)}." if words else "No peer was measured."


def measured(hosts: int, runs: int, only: Sequence[str]) -> str:
    place = Path(tempfile.mkdtemp(prefix="dlws-bench-"))
    try:
        with Farm(place, hosts, "real") as farm, Machines(farm) as machines:
            fanout.write_inventories(farm, place)
            found = contenders(place, cluster.directory(farm))
            chosen = {name: one for name, one in found.items() if not only or name in only}
            taken = take(chosen, machines, place, runs)
    finally:
        shutil.rmtree(place)
    return table(taken, hosts)


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.operations", description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument(
        "--only", action="append", default=[], help="leave the other contenders out"
    )
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    if not options.only or set(options.only) & set(TARGETS):
        measure.install(*fanout.PACKAGES)
    tables = [measured(hosts, options.runs, options.only) for hosts in options.hosts]
    text = "\n\n".join([*tables, f"On {measure.machine()}."])
    print(text)
    if options.docs:
        measure.section("operations", text)


if __name__ == "__main__":
    main()
