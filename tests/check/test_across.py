from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlws.check import across, rules
from dlws.check.facts import Facts, Port
from dlws.config import Config
from tests.support.facts import ALL, INFRA, TEXT, WORKER, F, W, config_of, told


def test_facts_that_are_missing_are_not_judged(config: Config) -> None:
    assert told(rules.alone(Facts("worker01"), config)) == [(F, "ssh")]
    assert across.together([Facts(facts.node) for facts in ALL], config) == []


def together(
    config: Config, infra: Any = (), worker: Any = (), second: Any = ()
) -> set[tuple[str, str, str]]:
    changed = [
        replace(facts, **dict(c)) for facts, c in zip(ALL, (infra, worker, second), strict=True)
    ]
    return {(one.level, one.node, one.check) for one in across.together(changed, config)}


def test_a_clock_is_compared_with_most(config: Config) -> None:
    assert together(config, {"skew": 61.0}) == {(F, "infra01", "clock")}
    assert together(config, {"skew": -30.0}) == {(W, "infra01", "clock")}
    assert together(config, {"skew": 1.5}) == set()
    off = {"skew": 3600.0}
    assert together(config, off, off, off) == {(W, "devbox", "clock")}


def test_two_clocks_are_compared_with_the_devbox(config: Config) -> None:
    found = across.clock([INFRA, replace(WORKER, skew=-90)], config)
    assert [(one.level, one.node) for one in found] == [(F, "worker01")]
    assert found[0].what == "its clock is 90 s behind the devbox"


BOTH = {(F, "infra01", "identity"), (F, "worker01", "identity")}


@pytest.mark.parametrize("name", ["machine_id", "hostname", "product_uuid", "host_keys"])
def test_a_copy_of_a_machine(config: Config, name: str) -> None:
    assert together(config, {name: getattr(WORKER, name)}) == BOTH


def test_who_wants_one_host_key_for_all_is_not_told_of_it(config: Config) -> None:
    shared = config.model_copy(
        update={"ssh": config.ssh.model_copy(update={"shared_host_keys": True})}
    )
    assert together(shared, {"host_keys": WORKER.host_keys}) == set()


@pytest.mark.parametrize(("ssh", "own", "note"), [
    ("{}", "", ""),
    ("{sudo_password: a}", "", "infra01,worker[01-02]"),
    ("{sudo_password: a}", "worker01", "infra01,worker02"),
    ("{sudo_password: a}", "worker", ""),
])  # fmt: skip
def test_one_sudo_password_for_many_is_noted(tmp_path: Path, ssh: str, own: str, note: str) -> None:
    text = f"ssh: {ssh}\n{TEXT}"
    for name in ("worker01", "worker02"):
        if own and name.startswith(own):
            text = text.replace(f"{name}: {{", f"{name}: {{sudo_password: b, ")
    said = across.shared_password(ALL, config_of(tmp_path, text))
    assert said.startswith(f"note: {note} have one sudo password" if note else "") and bool(
        said
    ) == bool(note)


def test_one_machine_twice_is_told_once(config: Config) -> None:
    same: Any = {"machine_id": WORKER.machine_id, "boot_id": WORKER.boot_id, "hostname": "worker01"}
    assert together(config, same) == BOTH
    found = across.identity([replace(INFRA, **same), WORKER], config)
    assert {one.what for one in found} == {"infra01,worker01 are one machine"}


def test_containers_share_the_product_uuid(config: Config) -> None:
    shared = {"product_uuid": "x", "container": "lxc"}
    assert together(config, shared, shared) == set()


def test_an_address_twice(tmp_path: Path, config: Config) -> None:
    more = {"addresses": ("10.1.0.1", "10.1.0.11")}
    assert together(config, more) == {(F, "infra01", "addresses")}
    bridges = {"addresses": (*INFRA.addresses, "172.17.0.1")}
    assert together(config, bridges, {"addresses": ("10.1.0.11", "172.17.0.1")}) == set()


def api(verdict: str) -> dict[str, Any]:
    return {"ports": {("infra01", 6443): Port("10.1.0.1", verdict)}}


@pytest.mark.parametrize("verdict", ["silent", "blocked No route to host"])
def test_a_port_that_a_firewall_hides(config: Config, verdict: str) -> None:
    assert together(config, (), api(verdict)) == {(F, "worker01", "ports")}


def test_a_closed_port_was_reached_unless_something_listens(config: Config) -> None:
    refused = api("refused")
    assert together(config, (), refused) == set()
    inside = {"listens": frozenset({("127.0.0.1", 6443)})}
    assert together(config, inside, refused) == set()
    outside = {"listens": frozenset({("::", 6443)})}
    assert together(config, outside, refused) == {(F, n, "ports") for n in ("worker01", "worker02")}


def test_a_node_that_is_away_is_not_told_of_twice(config: Config) -> None:
    assert together(config, {"error": "x"}, api("silent")) == set()


def test_ports_of_nodes_that_were_not_asked_for_count(config: Config) -> None:
    hidden = replace(WORKER, **api("silent"))
    assert [one.node for one in across.ports([hidden], config)] == ["worker01"]


@pytest.mark.parametrize(
    ("has", "level"),
    [
        (("10.1.0.1",), None),
        (("10.1.0.1", "10.9.9.9"), F),
        (("10.9.9.9",), F),
        (("127.0.1.1",), F),
        (("silent",), W),
        ((), W),
    ],
)
def test_what_a_name_leads_to(config: Config, has: tuple[str, ...], level: str | None) -> None:
    found = together(config, (), {"names": {**WORKER.names, "infra01.example.org": has}})
    assert found == ({(level, "worker01", "names")} if level else set())


def test_a_second_address_of_a_node_is_no_mistake(config: Config) -> None:
    second = {"addresses": ("10.1.0.1", "10.2.0.1")}
    names = {"names": {"infra01.example.org": ("10.1.0.1", "10.2.0.1")}}
    assert together(config, second, names, names) == set()


def test_a_name_that_is_left_to_dns_leads_to_its_machine(config: Config) -> None:
    for there, level in (("10.3.0.1", None), ("10.9.9.9", F)):
        left = {"address": "infra01.example.org", "addresses": ("10.1.0.1", "10.3.0.1")}
        found = together(config, left, {"names": {"infra01.example.org": (there,)}})
        assert found == ({(level, "worker01", "names")} if level else set())


def test_a_nodes_own_name_may_be_the_loopback_address(config: Config) -> None:
    assert WORKER.names["worker01.example.org"] == ("127.0.1.1",)
    elsewhere = {"names": {"infra01.example.org": ("127.0.1.1", "10.9.9.9")}}
    assert together(config, elsewhere) == {(F, "infra01", "names")}


@pytest.mark.parametrize(
    ("has", "level"), [(("x.test",), None), (("worker02.example.org",), F), ((), W)]
)
def test_what_an_address_is_called(config: Config, has: tuple[str, ...], level: str | None) -> None:
    found = together(config, (), {"back": {"10.1.0.1": has}})
    assert found == ({(level, "worker01", "names")} if level else set())
