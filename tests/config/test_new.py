"""A first config.yaml: from answers to a text that loads without a problem."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_address
from typing import Any

import pytest
import yaml

from dlws.config import from_text
from dlws.config.new import Answers, NewMachine, config_text, merged, networks, read_machines
from dlws.core.errors import UsageError

INFRA = read_machines("infra", "infra01=192.168.1.1")
_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
AWKWARD = ["yes", "null", "~", "1.0", "0x1", "a: b", "a # b", "#b", "'", '"', "[x", "{x}", "*x",
           "&x", "!x", "%x", "@x", "`x", "- x", "?", "|", ">", "ü", "{{ x }}", "{% x %}",
           "$(x)", "\\", "a\nb: c", "\t", "x\u2028y", "  x  "]  # fmt: skip


def given(*machines: NewMachine, **changes: Any) -> Answers:
    return Answers("mycluster", **{"machines": [*INFRA, *machines], **changes})


def places(role: str, text: str, *more: str) -> list[tuple[str, str]]:
    return [(one.name, one.address) for one in read_machines(role, text, *more)]


@pytest.mark.parametrize(("text", "expected"), [
    ("w1=10.0.0.1", [("w1", "10.0.0.1")]),
    ("w1", [("w1", "")]),
    ("w[1-2]", [("w1", ""), ("w2", "")]),
    ("w[09-11]=10.0.0.[9-11]", [("w09", "10.0.0.9"), ("w10", "10.0.0.10"), ("w11", "10.0.0.11")]),
    ("w[1,3]=10.0.0.[7-8]", [("w1", "10.0.0.7"), ("w3", "10.0.0.8")]),
    ("a,b=10.0.0.1,10.0.1.1", [("a", "10.0.0.1"), ("b", "10.0.1.1")]),
    ("w1=fd00::1", [("w1", "fd00::1")]),
    ("w[1-2]=fd00::[1-2]", [("w1", "fd00::1"), ("w2", "fd00::2")]),
    ("gpu:w1=fd00::1", [("w1", "fd00::1")]),
])  # fmt: skip
def test_machines_are_read_from_node_sets(text: str, expected: list[tuple[str, str]]) -> None:
    assert places("worker", text) == expected


@pytest.mark.parametrize(("text", "type_and_vendor"), [
    ("w1=10.0.0.1", ("cpu", "")), ("gpu:w1", ("gpu", "nvidia")), ("npu:w1", ("npu", "huawei")),
    ("cpu:w1", ("cpu", "")), ("gpu/amd:w1=10.0.0.1", ("gpu", "amd")),
    ("gpu/:w1", ("gpu", "nvidia")),
])  # fmt: skip
def test_a_type_may_stand_before_the_names(text: str, type_and_vendor: tuple[str, str]) -> None:
    (machine,) = read_machines("worker", text, "cpu")
    assert (machine.type, machine.vendor) == type_and_vendor
    assert machine.name == "w1"


@pytest.mark.parametrize(("text", "message"), [
    ("", "names no machine"), ("=10.0.0.1", "names no machine"), ("gpu:", "names no machine"),
    ("w[1-3]=10.0.0.[1-2]", "3 names and 2 addresses"), ("w1=", "1 names and 0 addresses"),
    ("w[1-2]=10.0.0.1", "2 names and 1 addresses"),
    ("w1=10.0.0.256", '"10.0.0.256" is not an IP address'),
    ("W1=10.0.0.1", '"W1" is not a host name'), ("tpu:w1=10.0.0.1", "is not a host name"),
    ("w[1-=10.0.0.1", "is not a host name"), ("w[1-99999]", "too many"),
])  # fmt: skip
def test_what_names_no_machine_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("[", r"\[")) as caught:
        read_machines("worker", text)
    assert caught.value.cure


def test_a_machine_with_two_roles_is_one_machine() -> None:
    both = merged([*read_machines("infra", "a=10.0.0.1"), *read_machines("worker", "gpu:a")])
    assert both == [NewMachine("a", "10.0.0.1", ("infra", "worker"), "gpu", "nvidia")]
    assert from_text(config_text(Answers("c", machines=both))).machines["a"].roles == (
        "infrastructure",
        "worker",
    )


def test_a_machine_with_two_addresses_is_refused() -> None:
    with pytest.raises(UsageError, match=r"a is given two addresses: 10\.0\.0\.1 and 10\.0\.0\.2"):
        merged([*read_machines("infra", "a=10.0.0.1"), *read_machines("worker", "a=10.0.0.2")])


@pytest.mark.parametrize("answers", [
    given(), given(*read_machines("worker", "gpu:gpu[01-12]=10.0.0.[11-22]")),
    given(*read_machines("worker", "npu:n[1-4]=10.0.0.[1-4]"), architecture="arm64", os="debian"),
    given(*read_machines("nfs", "nfs1=10.0.0.9"), domain="example.org", user="ubuntu"),
    given(*read_machines("mysqlserver", "db"), *read_machines("samba", "s")),
    given(kubernetes="v1.19.3"), given(machines=read_machines("infra", "i[1-3]=10.0.0.[1-3]")),
    Answers("c", "azure", location="westus2", infra_number=3, worker_number=40),
])  # fmt: skip
def test_what_is_made_loads_without_a_problem(answers: Answers) -> None:
    config = from_text(config_text(answers))
    assert list(config.warnings) == []
    assert config.cluster_name == answers.cluster_name
    assert (config.admin_username, config.domain) == (answers.user, answers.domain)
    made = [(m.name, m.private_ip or "", m.archtype, m.os) for m in config.machines.values()]
    assert made == [(m.name, m.address, answers.architecture, answers.os) for m in answers.machines]
    assert [(m.type, m.vendor) for m in config.machines.values()] == [
        (m.type, m.vendor) for m in answers.machines
    ]
    azure = {"azure_location": "westus2", "infra_node_num": 3, "worker_node_num": 40}
    given = config.azure_cluster
    found = given.model_dump(include=set(azure)) if given else None
    assert found == (azure if answers.platform == "azure" else None)
    assert config.platform == answers.platform


@pytest.mark.parametrize("value", AWKWARD)
def test_a_value_means_what_was_given_whatever_it_is_for_yaml(value: str) -> None:
    worker = NewMachine("w", "10.0.0.1", ("worker",), "gpu", value)
    if _WORD.fullmatch(value):  # a vendor becomes the name of a label
        text = config_text(given(worker))
        assert yaml.safe_load(text)["machines"]["w"]["vendor"] == value
        assert from_text(text).machines["w"].vendor == value
    else:
        with pytest.raises(UsageError, match="these answers make a configuration with 1 error"):
            config_text(given(worker))
    azure = config_text(Answers("c", "azure", location=value))
    assert yaml.safe_load(azure)["azure_cluster"]["azure_location"] == value


@pytest.mark.parametrize("name", ["1", "null", "on", "n", "1e3", "0x1f", "1.5", "true"])
def test_a_machine_keeps_a_name_that_yaml_would_take_for_something_else(name: str) -> None:
    machine = NewMachine(name, "10.0.0.1", ("worker",), "cpu")
    assert name in yaml.safe_load(config_text(given(machine)))["machines"]


@pytest.mark.parametrize(("answers", "message"), [
    (given(machines=[]), "no machines"),
    (given(machines=read_machines("worker", "w")), "no machine has the role infrastructure"),
    (given(machines=read_machines("infra", "i[1-2]")), "2 etcd nodes"),
    (given(*read_machines("worker", "w=192.168.1.1")), "192.168.1.1 is the address of"),
    (given(*read_machines("worker", "gpu=10.0.0.1")), "word for a group of nodes"),
    (given(user="Root User"), "is not a user name"), (given(domain="a b"), "is not a host name"),
    (given(kubernetes="1.99"), "not supported"),
    (Answers("a\nb: c", machines=INFRA), "not a name for a cluster"),
])  # fmt: skip
def test_answers_that_checkconfig_would_complain_of_are_refused(
    answers: Answers, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        config_text(answers)


@pytest.mark.parametrize("address", [
    "10.244.0.5", "10.100.0.5", "10.0.0.1", "172.16.0.1", "192.168.0.1", "8.8.8.8", "fd00::1",
])  # fmt: skip
@pytest.mark.parametrize("number", [1, 200, 400, 3000])
def test_networks_hold_no_machine_and_have_room(address: str, number: int) -> None:
    machines = [NewMachine(f"w{n}", address, ("worker",)) for n in range(number)]
    pods, services = (IPv4Network(text) for text in networks(machines))
    where = ip_address(address)
    assert where not in pods and where not in services and not pods.overlaps(services)
    assert 2 ** (24 - pods.prefixlen) >= 2 * number or number == 1
    assert pods.is_private and services.is_private and services.prefixlen >= 12


def test_networks_are_the_usual_ones_where_they_can_be() -> None:
    assert networks(INFRA) == ("10.244.0.0/16", "10.96.0.0/12")
    assert networks([]) == ("10.244.0.0/16", "10.96.0.0/12")
