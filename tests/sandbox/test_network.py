from __future__ import annotations

import json
from ipaddress import IPv4Network

import pytest

from dlws.core.errors import DeployError
from dlws.sandbox import naming, network
from tests.support.sandboxes import BOX


def test_subnet_is_the_first_that_meets_nobody() -> None:
    taken = [IPv4Network("10.77.0.0/23"), IPv4Network("10.77.2.128/30")]
    assert naming.free_subnet(taken) == IPv4Network("10.77.3.0/24")


def test_subnet_leaves_ten_eight_when_pods_have_it() -> None:
    assert naming.free_subnet([IPv4Network("10.0.0.0/8")]) == IPv4Network("172.27.0.0/24")


def test_no_subnet_free_says_what_to_do() -> None:
    with pytest.raises(DeployError, match="no network is free") as caught:
        naming.free_subnet([IPv4Network("0.0.0.0/0")])
    assert "--all" in caught.value.cure


def test_wanted_subnet_is_not_exchanged_silently() -> None:
    wanted = IPv4Network("10.77.9.0/24")
    assert naming.free_subnet([], wanted) == wanted
    with pytest.raises(DeployError):
        naming.free_subnet([IPv4Network("10.77.9.7/32")], wanted)


def test_every_node_has_an_address_of_its_network() -> None:
    subnet = IPv4Network("10.77.4.0/24")
    last = naming.address(subnet, naming.LARGEST)
    assert last in subnet and last != subnet.broadcast_address


def test_used_networks_reads_routes() -> None:
    routes = [
        {"dst": "default"},
        {"dst": "10.1.0.0/16"},
        {"dst": "10.2.3.4"},
        {"dst": "0.0.0.0/0"},
        {"type": "unreachable", "dst": "10.77.0.0/24"},
    ]
    found = network.used_networks(json.dumps(routes))
    assert list(map(str, found)) == ["10.1.0.0/16", "10.2.3.4/32", "10.77.0.0/24"]
    assert network.used_networks("") == []


def test_nameservers_of_the_machine_alone_do_not_count() -> None:
    text = "# x\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 9.9.9.9\nnameserver\n"
    assert network.parse_nameservers(text) == ["9.9.9.9"]


def test_tables_of_another_sandbox_are_left_alone() -> None:
    names = ["dlws_abc123", "dlws_abc123_4", "dlws_abc1234", "dlws_abc12", "filter"]
    listing = json.dumps({"nftables": [{"table": {"family": "ip", "name": n}} for n in names]})
    found = network.tables_of("abc123", listing)
    assert found == [("ip", "dlws_abc123"), ("ip", "dlws_abc123_4")]


def test_a_table_with_a_rule_or_a_dropping_chain_is_not_empty() -> None:
    def table(*entries: object) -> str:
        return json.dumps({"nftables": [{"table": {}}, *entries]})

    accepting = {"chain": {"policy": "accept"}}
    assert network.is_empty_table(table(accepting))
    assert not network.is_empty_table(table(accepting, {"rule": {}}))
    assert not network.is_empty_table(table({"chain": {"policy": "drop"}}))
    assert not network.is_empty_table("")


def test_only_the_machine_and_answers_reach_the_nodes_from_outside() -> None:
    rules = network.ruleset(BOX, [])
    assert (
        'iifname != "dl-abc123" oifname "dl-abc123" ct state != { established, related } reject'
        in rules
    )
    inward = [rule for rule in network._accept_rules("abc123") if "-o" in rule]
    assert inward and all("RELATED,ESTABLISHED" in rule for rule in inward)


def test_rules_guard_pods_and_other_sandboxes() -> None:
    rules = network.ruleset(BOX, [IPv4Network("10.244.0.0/16")])
    assert 'iifname "dl-abc123" oifname "dl-*" oifname != "dl-abc123" reject' in rules
    assert 'oifname != "dl-abc123" ip daddr 10.244.0.0/16 reject' in rules
    assert 'ip saddr 10.77.4.0/24 oifname != "dl-abc123" masquerade' in rules
