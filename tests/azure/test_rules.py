"""Rules that are changed by hand: one at a time, the others stay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.arm.cluster import Site


@pytest.fixture
def made(site: Site) -> Site:
    site("create")
    site.arm.asked.clear()
    return site


def rule(site: Site, name: str, group: str = "Atlas-nsg") -> Any:
    found = site.arm.world.named(group)["properties"]["securityRules"]
    return next((one["properties"] for one in found if one["name"] == name), None)


def test_machines_reach_each_other(made: Site) -> None:
    made("interconnect")
    found = rule(made, "tcpinterconnect")
    assert found["priority"] == 850 and "2379" in found["destinationPortRanges"]
    covered = {one["properties"]["ipAddress"] for one in made.arm.world.of(
        "microsoft.network/publicipaddresses")}  # fmt: skip
    assert len(covered) == 4 and found["sourceAddressPrefixes"]
    assert "nothing to do" in made("interconnect").stderr
    assert len(made.arm.wrote()) == 1
    assert rule(made, "allowdevtcp"), "the others stay"


def test_infra_nodes_reach_file_servers(made: Site) -> None:
    made("nfsallowmaster")
    found = rule(made, "nfs_allow_master", "Atlas-nfs-nsg")
    infra = made.arm.world.named("atlas-infra01PublicIP")["properties"]["ipAddress"]
    assert (found["sourceAddressPrefix"], found["destinationPortRange"]) == (infra, "10250")


def test_the_whitelist(made: Site) -> None:
    made("whitelist", "add", "198.51.100.7", "198.51.100.0/25")
    made("whitelist", "add", "203.0.113.77")
    assert made("whitelist", "list").stdout.split() == ["198.51.100.0/25", "203.0.113.77"]
    assert rule(made, "whitelist")["priority"] == 1005
    made("whitelist", "remove", "198.51.100.0/25")
    assert made("whitelist", "list").stdout.split() == ["203.0.113.77"]
    done = made("whitelist", "remove", "10.0.0.1", code=2)
    assert "10.0.0.1 is not in the whitelist" in done.stderr
    made("whitelist", "remove", "203.0.113.77")
    assert rule(made, "whitelist") is None and made("whitelist", "list").stdout == ""


@pytest.mark.parametrize(("given", "code", "words"), [
    ("0.0.0.0/0", 4, "is everybody"), ("*", 4, "is everybody"), ("CorpNet", 2, "a service tag"),
    ("10.0.0.0/33", 2, "no source of traffic"),
])  # fmt: skip
def test_who_is_not_whitelisted(made: Site, given: str, code: int, words: str) -> None:
    assert words in made("whitelist", "add", given, code=code).stderr
    assert made.arm.wrote() == []


def test_service_tags(made: Site) -> None:
    made.change("cloud_config_nsg_rules:", "cloud_config_nsg_rules:\n  service_tags: [AzureCloud]")
    made("service_tag_rules", "create")
    assert rule(made, "allow_AzureCloud")["sourceAddressPrefix"] == "AzureCloud"
    made.change("[AzureCloud]", "[AzureCloud.westus2]")
    made("service_tag_rules", "create")
    assert rule(made, "allow_AzureCloud") is None and rule(made, "allow_AzureCloud_westus2")
    made("service_tag_rules", "delete")
    assert rule(made, "allow_AzureCloud_westus2") is None and rule(made, "allowdevtcp")


def test_a_dry_run_sends_nothing(made: Site) -> None:
    done = made("--dry-run", "whitelist", "add", "198.51.100.7")
    assert "would let 198.51.100.7 in: Atlas-nsg/whitelist" in done.stderr
    assert made.arm.wrote() == []


def test_before_the_group_is_there_it_says_what_to_do(site: Site) -> None:
    done = site("whitelist", "list", code=2)
    assert "there is no security group Atlas-nsg" in done.stderr and "create" in done.stderr
