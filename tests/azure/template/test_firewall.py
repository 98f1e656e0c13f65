"""Rules of security groups: the ancestor's, without a * that nobody asked for."""

from __future__ import annotations

import pytest

from dlws.azure.template import firewall, names
from dlws.azure.template.firewall import Rule
from dlws.core.errors import UsageError
from tests.support.arm.configs import PLAIN, RICH, config

NOBODY = "cluster_name: a\nazure_cluster: {nfs_node_num: 1}\n"


def found(text: str, files: bool = False) -> dict[str, Rule]:
    made = config(text)
    group = names.nfs_nsg(made) if files else names.nsg(made)
    return {rule.name: rule for rule in firewall.rules(made, group)}


def test_nobody_is_let_in_who_was_not_named() -> None:
    assert found(NOBODY) == {} and found(NOBODY, files=True) == {}
    for text in (PLAIN, RICH):
        sources = {one for files in (False, True) for rule in found(text, files).values()
                   for one in rule.sources}  # fmt: skip
        assert "*" not in sources


def test_everybody_is_let_in_where_that_is_asked_for() -> None:
    text = PLAIN + "  restricted_source_address_prefixes: ['*']\n"
    assert found(text)["allowalltcp"].sources == ("*",)


def test_the_rules_and_their_priorities() -> None:
    assert {name: rule.priority for name, rule in found(RICH).items()} == {
        "allowdevtcp": 900, "allow_AzureCloud_westus2": 950, "allowalltcp": 1000,
        "allowalltcp_CorpNetPublic": 1020, "allowalludp": 1010, "allowalludp_CorpNetPublic": 1060,
    }  # fmt: skip
    assert {name: rule.priority for name, rule in found(RICH, files=True).items()} == {
        "allow_ssh": 1200, "allow_share": 1300,
    }  # fmt: skip
    assert found(RICH)["allowalludp"].ports == ("500", "4500")
    assert found(RICH)["allowdevtcp"].sources == ("203.0.113.7", "203.0.113.8")


def test_a_cluster_without_file_servers_has_one_group() -> None:
    made = config(NOBODY.replace("nfs_node_num: 1", "nfs_node_num: 0"))
    assert names.nfs_nsg(made) == names.nsg(made)


def test_sources_are_reduced_to_the_widest() -> None:
    given = ["10.0.0.1", "10.0.0.0/24", "10.0.1.0/24", "10.9.9.9/32", "2001:db8::1"]
    assert firewall.reduced(given) == ("10.0.0.0/23", "10.9.9.9", "2001:db8::1")


@pytest.mark.parametrize(("source", "expected"), [
    ("AzureCloud", True), ("Dead.beef", True), ("*", True), ("10.0.0.0/8", False),
    ("fe80::1", False),
])  # fmt: skip
def test_what_is_a_tag(source: str, expected: bool) -> None:
    assert firewall.is_tag(source) is expected


def test_one_source_and_one_port_are_written_as_azure_wants_them() -> None:
    body = firewall.as_resource(Rule("r", 900, ("22",), ("AzureCloud",)))["properties"]
    assert (body["destinationPortRange"], body["sourceAddressPrefix"]) == ("22", "AzureCloud")
    body = firewall.as_resource(Rule("r", 900, ("22", "80"), ("10.0.0.1", "10.0.0.9")))[
        "properties"
    ]
    assert body["destinationPortRanges"] == ["22", "80"]
    assert body["sourceAddressPrefixes"] == ["10.0.0.1", "10.0.0.9"]


def test_there_are_not_more_tags_than_room() -> None:
    with pytest.raises(UsageError, match="room for 40"):
        firewall.by_tag([f"T{n}" for n in range(41)], ["80"])
