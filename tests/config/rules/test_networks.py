"""Networks of pods, services and containers: each is one, and none meets machines or another."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from dlws.config.problems import Problem
from tests.support.configs import assert_problem, look, marked_by, minimal

OLD = "k8s-gitbranch: v1.18.0\n"
"""A release with Docker."""


def network_of(line: str) -> tuple[str, ...]:
    """The network that a line writes: the value at its end."""
    return (line.rsplit(" ", 1)[1].strip("{}'\""),)


@pytest.mark.parametrize(
    ("line", "message", "cure"),
    [
        ("pod_ip_range: 10.2.0", '"10.2.0" is not a network', "Write one like 10.244.0.0/16."),
        ("pod_ip_range: pods", '"pods" is not a network', "Write one like 10.244.0.0/16."),
        ("pod_ip_range: 10.2.3.4", "is an address, not a network", "Write 10.2.0.0/16."),
        ("pod_ip_range: fd00:1::1", "is an address, not a network", "Write fd00:1::/64."),
        ("pod_ip_range: 10.2.0.1/16", '"10.2.0.1/16" is not a network', "Write 10.2.0.0/16."),
        ("pod_ip_range: 127.0.0.0/8", "nothing can be given an address of 127.0.0.0/8", "like 10."),
        ("pod_ip_range: 224.0.0.0/8", "nothing can be given an address of 224.0.0.0/8", "like 10."),
        ("kubernetes: {service_cidr: 10.96/12}", '"10.96/12" is not a network', "like 10."),
        ("service_cluster_ip_range: 10.3.0.0/33", '"10.3.0.0/33" is not a network', "like 10."),
        ("kubernetes: {kube_proxy: {clusterCIDR: x/8}}", '"x/8" is not a network', "like 10."),
    ],
)
def test_a_network_that_is_none(line: str, message: str, cure: str) -> None:
    (marked,) = network_of(line)
    problem = assert_problem(f"# first\n{line}", message, line=2, marked=marked)
    assert cure in problem.cure


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("bip: 172.26.0.1", "172.26.0.1"),
        ("bip: bridge", "bridge"),
        ("fixed-cidr: 172.26.0.0/40", "172.26.0.0/40"),
        ("default-address-pools: [{size: 24, base: no}]", "no"),
    ],
)
def test_a_network_of_dockers_that_is_none(setting: str, text: str) -> None:
    setting = setting.replace(" no}", " 'no'}")
    found = look(minimal(f"{OLD}docker_daemon:\n  {setting}")).problems
    (problem,) = found
    assert (problem.level, problem.line) == ("error", 3)
    assert f'"{text}" is not a network' in problem.message
    assert marked_by(problem).strip("'") == text
    assert look(minimal(f"docker_daemon:\n  {setting}")).problems == []  # containerd has none of it


RANGE = "network:\n  container-network-iprange: "


def of_range(text: str, machines: str = "m1: {role: infra}") -> list[Problem]:
    problems = look(f"cluster_name: c\n{RANGE}{text}\nmachines: {{{machines}}}\n").problems
    first = problems.pop(0)
    assert (first.level, first.line, first.column) == ("warning", 3, 3)
    assert "this does nothing: the addresses of pods are kubernetes.pod_cidr" in first.message
    assert "10.244.0.0/16" in first.message and "set kubernetes.pod_cidr" in first.cure
    assert marked_by(first) == "container-network-iprange"
    return problems


def test_the_range_for_containers_does_nothing_and_that_is_said() -> None:
    assert of_range('"10.0.0.0/8"') == []
    assert of_range("") == []


@pytest.mark.parametrize(
    ("text", "level", "cure"),
    [
        ("192.168.0.1/24", "warning", "Write 192.168.0.0/24."),  # the ancestor's own default
        ("10.0.0.0/40", "error", "Write one like 10.244.0.0/16."),
        ("10.0.0.0", "error", "Write 10.0.0.0/16."),
        ("pods", "error", "Write one like 10.244.0.0/16."),
    ],
)
def test_a_range_for_containers_that_is_none(text: str, level: str, cure: str) -> None:
    (problem,) = of_range(text)
    assert (problem.level, problem.line, problem.column) == (level, 3, 30)
    assert f'"{text}" is not a network' in problem.message and problem.cure == cure
    assert marked_by(problem) == text


def test_a_range_for_containers_that_holds_machines() -> None:
    (problem,) = of_range("10.0.0.0/8", "m1: {role: infra, private-ip: 10.1.0.1}")
    assert (problem.level, problem.line, problem.column) == ("warning", 3, 30)
    assert "10.0.0.0/8, the network of containers, holds 10.1.0.1: private-ip of m1" in (
        problem.message
    )
    assert marked_by(problem) == "10.0.0.0/8"


KEYS = [
    ("pod_ip_range: 172.30.0.0/16", "pod_ip_range", "pods"),
    ("kubernetes: {pod_cidr: 172.30.0.0/16}", "kubernetes.pod_cidr", "pods"),
    ("service_cluster_ip_range: 172.30.0.0/16", "service_cluster_ip_range", "services"),
    ("kubernetes: {service_cidr: 172.30.0.0/16}", "kubernetes.service_cidr", "services"),
    (f"{OLD}docker_daemon: {{bip: 172.30.0.1/16}}", "docker_daemon.bip", "Docker's containers"),
    (f"{OLD}docker_daemon: {{fixed-cidr: 172.30.0.0/16}}", "docker_daemon.fixed-cidr",
     "Docker's containers"),
    (f"{OLD}docker_daemon: {{default-address-pools: [{{base: 172.30.0.0/16}}]}}",
     "docker_daemon.default-address-pools.0.base", "Docker's containers"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "key", "whose"), KEYS)
def test_a_network_that_holds_a_machine_by_whatever_key_it_is_written(
    line: str, key: str, whose: str
) -> None:
    text = f"{line}\nmachines:\n  m1: {{role: infra, private-ip: 172.30.0.7}}\n"
    message = f"{key}: 172.30.0.0/16, the network of {whose}, holds 172.30.0.7: private-ip of m1"
    marked = "172.30.0.1/16" if "bip" in key else "172.30.0.0/16"
    number = line.count("\n") + 1
    problem = assert_problem(text, message, line=number, marked=marked)
    assert problem.cure.startswith(f"Choose another {key}")
    assert problem.column == line.splitlines()[-1].index(marked) + 1


M1 = "machines:\n  m1: {role: infra"
ADDRESSES = [
    (f"{M1}, private-ip: 10.1.0.7}}", "error", "private-ip of m1"),
    (f"{M1}, private_ip: 10.1.0.7}}", "error", "private-ip of m1"),
    (f"{M1}, private-ip: '::ffff:10.1.0.7'}}", "error", "private-ip of m1"),
    (f"{M1}}}\nscale_up:\n  w1: {{role: worker, private-ip: 10.1.0.7}}", "error",
     "private-ip of w1"),
    (f"{M1}, ib_ip: 10.1.0.7}}", "error", "ib_ip of m1"),
    (f"{M1}, ib_ip: 10.1.0.7/24}}", "error", "ib_ip of m1"),
    (f"{M1}, public-ip: 10.1.0.7}}", "warning", "public-ip of m1"),
    (f"{M1}, jump_host: 'me@10.1.0.7:22'}}", "warning", "jump_host.host of m1"),
    (f"{M1}, jump_host: {{host: 10.1.0.7}}}}", "warning", "jump_host.host of m1"),
    (f"kubemarks: [bmc]\n{M1}, bmc: 10.1.0.7}}", "warning", "bmc of m1"),
    ("ssh: {jump_host: 10.1.0.7}", "warning", "ssh.jump_host.host"),
    ("ssh: {jump_host: {host: 10.1.0.7, user: a}}", "warning", "ssh.jump_host.host"),
    ("dns_server: {onpremise: 10.1.0.7}", "error", "dns_server.onpremise"),
    ("kube-vip: 10.1.0.7", "error", "kubernetes.endpoint"),
    ("kubernetes: {endpoint: '10.1.0.7:6443'}", "error", "kubernetes.endpoint"),
    ("mountpoints: {s: {server: 10.1.0.7}}", "error", "mountpoints.s.server"),
    ("mountpoints: {s: {type: glusterfs, server: 'x,10.1.0.7'}}", "error",
     "mountpoints.s.server"),
    ("nfs_disk_mnt: {s: {ip: 10.1.0.7}}", "error", "nfs_disk_mnt.s.ip"),
    ("mysql_node: 10.1.0.7", "error", "mysql_node"),
    ("apt_mirror_url: 'http://10.1.0.7:8080/debian'", "error", "apt_mirror_url"),
    ("dockerregistry: 10.1.0.7:5000/dlws/", "error", "dockerregistry"),
    ("dockers: {hub: 10.1.0.7:5000/dlws/}", "error", "dockers.hub"),
    ("kubernetes: {image_repository: 10.1.0.7:5000}", "error", "kubernetes.image_repository"),
    (f"kubernetes: {{network_manifest: 'https://10.1.0.7/x', network_manifest_sha256: {'a' * 64}}}",
     "warning", "kubernetes.network_manifest"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "level", "whose"), ADDRESSES)
def test_every_key_that_gives_a_machine_an_address(text: str, level: str, whose: str) -> None:
    """Once with the network in a section of its own, once with the network left at its default."""
    below = "pod_ip_range: 10.1.0.0/16\n"
    found = look(minimal(text), below).problems
    (problem,) = found
    assert (problem.level, problem.file, problem.line) == (level, "cluster.yaml", 1)
    assert f"10.1.0.0/16, the network of pods, holds 10.1.0.7: {whose}" in problem.message
    assert problem.cure == "Choose another pod_ip_range, such as 10.244.0.0/16."
    assert marked_by(problem) == "10.1.0.0/16"
    (problem,) = look(minimal(text.replace("10.1.0.7", "10.244.0.7"))).problems
    written = next(line for line in text.splitlines() if "10.1.0.7" in line)
    line = text.splitlines().index(written) + 1
    assert (problem.level, problem.file, problem.line) == (level, "config.yaml", line)
    assert "10.244.0.7 lies in the network of pods, 10.244.0.0/16" in problem.message
    assert problem.cure.startswith("Choose another kubernetes.pod_cidr, such as 172.20.0.0/16")
    assert "10.244.0.7" in marked_by(problem)


def test_an_address_from_the_hosts_file_is_one_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "deploy/etc").mkdir(parents=True)
    (tmp_path / "deploy/etc/hosts").write_text("10.244.0.7 m1\n10.244.0.8 m2\n")
    text = minimal("machines:\n  m1: {role: infra}\n  m2: {role: nfs, private-ip: 10.9.0.1}\n")
    (problem,) = look(text, directory=tmp_path).problems
    assert (problem.level, problem.line, problem.column) == ("error", 2, 3)
    assert "machines.m1: 10.244.0.7 lies in the network of pods" in problem.message
    assert marked_by(problem) == "m1"


def test_many_machines_are_one_problem() -> None:
    machines = "".join(
        f"  gpu{n:02}: {{role: worker, private-ip: 10.5.0.{n}, ib_ip: 10.6.0.{n}}}\n"
        for n in range(1, 13)
    )
    text = f"pod_ip_range: 10.4.0.0/14\nmachines:\n  m1: {{role: infra}}\n{machines}"
    problem = assert_problem(text, "holds 10.5.0.1 and 23 more: private-ip of gpu[01-12], ib_ip of")
    assert "ib_ip of gpu[01-12]" in problem.message
    text = text.replace("pod_ip_range: 10.4.0.0/14\n", "").replace("10.5.", "10.244.")
    message = "10.244.0.1 lies in the network of pods, 10.244.0.0/16; with it private-ip of gpu[02-"
    assert_problem(text, message, line=3, marked="10.244.0.1")


def test_one_address_that_nodes_need_makes_it_an_error() -> None:
    text = "ssh: {jump_host: 10.2.0.1}\npod_ip_range: 10.2.0.0/16\n"
    machines = "machines: {m1: {role: infra, private-ip: 10.2.0.2}}"
    assert_problem(text, "holds 10.2.0.1: ssh.jump_host.host", line=2, level="warning")
    words = "holds 10.2.0.2 and 1 more: private-ip of m1, ssh.jump_host.host"
    assert_problem(text + machines, words, line=2)


@pytest.mark.parametrize(
    "text",
    [
        "machines: {m1: {role: infra, private-ip: 10.1.0.1, labels: {a: 10.244.0.1}}}",
        "machines: {m1: {role: infra, mac: '02:00:00:00:00:01', ib_ip: fd00::1}}",
        "dns_server: {onpremise: dns.example}\nmountpoints: {s: {server: m1}}",
        "kubernetes: {pod_cidr: 'fd00:1::/56', service_cidr: 10.96.0.0/16}\n"
        "machines: {m1: {role: infra, private-ip: 10.244.0.1}}",
        "container_runtime: containerd\ndocker_daemon: {bip: 10.244.0.1/24}",
        "kubernetes: {kube_proxy: {clusterCIDR: 10.244.0.0/16}}",
        "kubernetes: {kube_proxy: {clusterCIDR: '10.244.0.0/16,fd00::/56'}}",
    ],
)
def test_what_is_no_clash(text: str) -> None:
    assert look(minimal(text)).problems == []


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("kubernetes:\n  service_cidr: 10.244.1.0/24\n", "10.244.1.0/24"),
        ("pod_ip_range: 10.96.0.0/16\n\n", "10.96.0.0/16"),
        ("service_cluster_ip_range: 10.0.0.0/16\npod_ip_range: 10.0.0.0/8\n", "10.0.0.0/16"),
    ],
)
def test_pods_and_services_must_not_overlap(text: str, marked: str) -> None:
    line = next(n for n, line in enumerate(text.splitlines(), 1) if marked in line)
    problem = assert_problem(text, "the networks of pods", line=line, marked=marked)
    assert "overlap" in problem.message
    assert problem.cure.startswith("Choose two that do not, such as ")


def test_dockers_networks_must_not_be_those_of_pods() -> None:
    text = f"{OLD}docker_daemon: {{bip: 10.244.3.1/24}}\n"
    problem = assert_problem(
        text,
        "docker_daemon.bip: 10.244.3.0/24 overlaps the network of pods, 10.244.0.0/16",
        line=2,
        level="warning",
        marked="10.244.3.1/24",
    )
    assert problem.cure == "Choose another docker_daemon.bip."


def test_the_proxys_network_is_that_of_pods() -> None:
    text = "kubernetes:\n  kube_proxy:\n    clusterCIDR: 10.1.0.0/16\n"
    assert_problem(
        text,
        "clusterCIDR: is 10.1.0.0/16, but the network of pods is 10.244.0.0/16",
        line=3,
        level="warning",
        marked="10.1.0.0/16",
    )


def test_what_is_suggested_meets_nothing() -> None:
    text = (
        "pod_ip_range: 10.0.0.0/9\nservice_cluster_ip_range: 192.168.0.0/20\n"
        "machines: {m1: {role: infra, private-ip: 10.1.0.1, ib_ip: 172.20.9.1}}\n"
    )
    problem = assert_problem(text, "holds 10.1.0.1")
    suggested = ipaddress.ip_network(problem.cure.removesuffix(".").rsplit(" ", 1)[1])
    assert str(suggested) in ("10.244.0.0/16", "10.96.0.0/12")
    again = text.replace("10.0.0.0/9", str(suggested))
    assert look(minimal(again)).problems == []
