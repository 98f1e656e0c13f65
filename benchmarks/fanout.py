"""One command on many hosts, by dlws and by its peers: python -m benchmarks.fanout."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import BENCH_VENV, PYTHON, ROOT, Figures, Sample
from tests.support.farm import Farm, cluster

PACKAGES = ("ansible-core", "clustershell", "parallel-ssh", "pyinfra")
PEERS = ROOT / "benchmarks/peers"
BASE = "paramiko"
ANSWER = "load average"


@dataclass(frozen=True)
class Contender:
    """A way to run uptime on every host."""

    command: list[str]
    env: Mapping[str, str] = field(default_factory=dict)


def write_inventories(farm: Farm, place: Path) -> None:
    port, addresses = farm.hosts[0].port, [host.address for host in farm.hosts]
    (place / "known_hosts").write_text(farm.known_hosts)
    (place / "addresses").write_text("".join(f"{address}\n" for address in addresses))
    (place / "inventory.ini").write_text(
        "".join(f"{address} ansible_port={port}\n" for address in addresses)
    )
    data = {
        "ssh_user": cluster.USER,
        "ssh_port": port,
        "ssh_key": str(farm.key),
        "ssh_known_hosts_file": str(place / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
        "ssh_file_transfer_protocol": "scp",  # the farm has no SFTP
    }
    (place / "inventory.py").write_text(f"hosts = ({addresses!r}, {data!r})\n")


def ssh_options(place: Path) -> list[str]:
    """Options of ssh: nothing from this user's own configuration, host keys checked."""
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    return [*options, "-o", f"UserKnownHostsFile={place / 'known_hosts'}"]


def ansible_settings(place: Path, *multiplexing: str) -> dict[str, str]:
    """Pipelining, and ssh's options for one connection for all that is asked of a host."""
    return {
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_SSH_ARGS": " ".join([*ssh_options(place), *multiplexing]),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(place / "mux"),
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_LOCAL_TEMP": str(place / "ansible"),
        "LC_ALL": "C.UTF-8",
    }


def contenders(farm: Farm, place: Path, ours: Path) -> dict[str, Contender]:
    port, key = str(farm.hosts[0].port), str(farm.key)
    options = [*ssh_options(place), "-i", key, "-p", port]
    login = [*options, "-l", cluster.USER]
    addresses, peers = str(place / "addresses"), BENCH_VENV / "bin"
    deploy = [PYTHON, "deploy.py", "--dir", str(ours), "execonall", "uptime"]
    ansible = [str(peers / "ansible"), "all", "-i", str(place / "inventory.ini"), "-f", "50"]
    ansible += ["-m", "raw", "-a", "uptime", "-u", cluster.USER, "--private-key", key]
    clush = [str(peers / "clush"), "-f", "32", "--hostfile", addresses]
    pyinfra = [str(peers / "pyinfra"), "-y"]
    return {
        BASE: Contender([PYTHON, str(PEERS / "paramiko_loop.py"), str(place), "uptime"]),
        "dlws": Contender(deploy),
        "asyncssh": Contender([PYTHON, str(PEERS / "asyncssh_loop.py"), str(place), "uptime"]),
        "parallel-ssh": Contender(
            [str(peers / "python"), str(PEERS / "pssh_loop.py"), str(place), "uptime"]
        ),
        "OpenSSH, xargs -P": Contender(
            ["xargs", "-a", addresses, "-P", "32", "-I{}", "ssh", *login, "{}", "uptime"]
        ),
        "clush": Contender([*clush, "-o", " ".join(options), "-l", cluster.USER, "uptime"]),
        "pyinfra": Contender(
            [*pyinfra, "--parallel", "32", str(place / "inventory.py"), "exec", "--", "uptime"]
        ),
        "ansible raw": Contender(ansible, ansible_settings(place, "-o", "ControlMaster=no")),
    }


def _checked(name: str, sample: Sample, hosts: int) -> Sample:
    """A figure counts only where every host has answered."""
    answered = sample.out.count(ANSWER)
    if sample.code or answered < hosts:
        sys.exit(
            f"{name}: {answered} of {hosts} answered, status {sample.code}\n{sample.out[-2000:]}"
        )
    return sample


def take(found: Mapping[str, Contender], place: Path, hosts: int, runs: int) -> dict[str, Figures]:
    """All of them one after the other, `runs` times over: a disturbance hits more than one."""
    samples: dict[str, list[Sample]] = {name: [] for name in found}
    for number in range(runs):
        for name, one in found.items():
            measure.settle()  # what a contender leaves behind is not the next one's load
            sample = measure.run(one.command, place / "out", one.env)
            samples[name].append(_checked(name, sample, hosts))
            print(
                f"{number + 1}/{runs} {name}: {sample.wall:.2f} s, CPU {sample.cpu:.2f} s",
                flush=True,
            )
    return {name: measure.figures(taken) for name, taken in samples.items()}


def table(taken: Mapping[str, Figures], hosts: int) -> str:
    base = taken[BASE]
    lines = [
        f"{hosts} hosts, {base.runs} interleaved runs, seconds; ratios are to bare Paramiko's.",
        "",
        "| | wall min | wall median | ratio | client CPU min | CPU median | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in sorted(taken.items(), key=lambda item: item[1].wall_median):
        lines.append(
            f"| {name} | {one.wall_min:.2f} | {one.wall_median:.2f} "
            f"| {one.wall_median / base.wall_median:.2f} | {one.cpu_min:.2f} "
            f"| {one.cpu_median:.2f} | {one.cpu_median / base.cpu_median:.2f} |"
        )
    return "\n".join([*lines, "", f"On {measure.machine()}.", "", verdict(taken)])


def verdict(taken: Mapping[str, Figures]) -> str:
    """Who is quicker than dlws, and who takes less CPU time, in words."""
    ours = taken.get("dlws")
    if not ours:
        return "dlws itself was not measured."
    quicker = [n for n, one in taken.items() if one.wall_median < ours.wall_median]
    lighter = [n for n, one in taken.items() if one.cpu_median < ours.cpu_median]
    return (
        f"Quicker than dlws: {', '.join(quicker) or 'none'}. "
        f"Less client CPU than dlws: {', '.join(lighter) or 'none'}."
    )


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.fanout", description=__doc__)
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", action="append", help="leave the other contenders out")
    parser.add_argument("--json", type=Path, default=ROOT / "build/fanout.json")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    measure.install(*PACKAGES)
    place = Path(tempfile.mkdtemp(prefix="dlws-bench-"))
    try:
        with Farm(place, options.hosts, "fake") as farm:
            write_inventories(farm, place)
            found = contenders(farm, place, cluster.directory(farm))
            if options.only:
                found = {n: one for n, one in found.items() if n in {BASE, *options.only}}
            taken = take(found, place, options.hosts, options.runs)
    finally:
        shutil.rmtree(place)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": measure.machine(), "hosts": options.hosts}
    figures = {name: asdict(one) for name, one in taken.items()}
    options.json.write_text(json.dumps({**result, "figures": figures}, indent=2))
    print(table(taken, options.hosts))
    if options.docs:
        measure.section("fanout", table(taken, options.hosts))


if __name__ == "__main__":
    main()
