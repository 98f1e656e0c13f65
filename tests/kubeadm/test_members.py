"""What becomes of members that are not what config.yaml says."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlws.core.errors import DeployError
from dlws.kubeadm import members
from dlws.kubeadm.survey import Member
from tests.support.fakes import CONFIG, Make

INFRA = Member("infra01", "10.244.0.0/24", "10.1.0.1")
ONE = Member("worker01", "10.244.1.0/24", "10.1.0.11")
TWO = Member("worker02", "10.244.2.0/24", "10.1.0.12")


def by_name(*found: Member) -> dict[str, Member]:
    return {member.name: member for member in found}


def test_members_as_config_says(make: Make) -> None:
    cluster, known = make().cluster, by_name(INFRA, ONE, TWO)
    assert members.doubts(cluster, known) == {}
    assert members.checked(cluster, known) == members.sound(cluster, known) == known


@pytest.mark.parametrize("member", [
    replace(ONE, address="10.1.0.12"),
    replace(ONE, address="10.1.0.11\nmember=x|198.51.100.0/24|10.1.0.12|True|y"),
    replace(ONE, address="nowhere"),
    replace(ONE, pod_cidr="198.51.100.0/24"),
    replace(ONE, pod_cidr="0.0.0.0/1"),
    replace(ONE, pod_cidr="10.1.0.1/32"),
    replace(ONE, pod_cidr="10.244.0.0/16"),
    replace(ONE, pod_cidr="10.244.1.0/25"),
    replace(ONE, pod_cidr="10.244.1.0"),
    replace(ONE, pod_cidr="10.244.1.0/255.255.255.0"),
    replace(ONE, pod_cidr="10.244.1.1/24"),
    replace(ONE, pod_cidr="fd00::/64"),
    replace(ONE, pod_cidr="10.244.1.0/24\nroute 0.0.0.0/0 10.1.0.12"),
])  # fmt: skip
def test_a_member_that_lies_gets_no_route(make: Make, member: Member) -> None:
    cluster, known = make().cluster, by_name(INFRA, member, TWO)
    assert list(members.doubts(cluster, known)) == ["worker01"]
    assert members.sound(cluster, known) == by_name(INFRA, TWO)
    with pytest.raises(DeployError, match="worker01: ") as caught:
        members.checked(cluster, known)
    assert "kubeadm reset worker01" in caught.value.cure and "\n  route" not in caught.value.message


def test_ranges_are_as_long_as_the_controller_manager_is_told(make: Make) -> None:
    told = "controller_manager: {extra_args: {node-cidr-mask-size: 26}}"
    cluster = make(CONFIG.replace("network: bridge", f"network: bridge, {told}")).cluster
    short = replace(ONE, pod_cidr="10.244.1.64/26")
    assert members.doubts(cluster, by_name(short, TWO)) == {
        "worker02": "its pod range '10.244.2.0/24' is not a /26 inside 10.244.0.0/16"
    }


def test_ranges_that_overlap_are_both_in_doubt(make: Make) -> None:
    cluster, known = make().cluster, by_name(INFRA, replace(ONE, pod_cidr="10.244.0.0/24"), TWO)
    assert members.doubts(cluster, known) == {
        "infra01": "its pod range 10.244.0.0/24 overlaps that of worker01",
        "worker01": "its pod range 10.244.0.0/24 overlaps that of infra01",
    }


def test_pods_are_reached_at_the_configured_address(make: Make) -> None:
    """A new member may have reported none yet."""
    cluster = make().cluster
    assert members.sound(cluster, by_name(replace(ONE, address=""))) == by_name(ONE)


def test_nodes_that_config_does_not_have_are_left_out(make: Make) -> None:
    cluster = make(f"{CONFIG}  store: {{role: nfs, private-ip: 10.1.0.20}}\n").cluster
    strangers = [Member("evil", "198.51.100.0/24", "10.1.0.12"), replace(ONE, name="store")]
    known = by_name(INFRA, ONE, *strangers)
    assert members.ours(cluster, known) == members.checked(cluster, known) == by_name(INFRA, ONE)


def test_a_machine_without_an_address_is_told(make: Make) -> None:
    cluster = make().cluster
    node = cluster.nodes[1]
    node.machine = node.machine.model_copy(update={"private_ip": None})
    node.address = "worker01.example.org"
    with pytest.raises(DeployError, match="add its private-ip"):
        members.checked(cluster, by_name(INFRA, ONE))


def test_ranges_of_ipv6(make: Make) -> None:
    cluster = make(
        CONFIG.replace("bridge", "bridge, pod_cidr: 'fd00:10::/48', service_cidr: 'fd00:20::/112'")
    ).cluster
    good = by_name(replace(ONE, pod_cidr="fd00:10:0:1::/64"), replace(TWO, pod_cidr=""))
    assert members.doubts(cluster, good) == {}
    for pods in ("fd00:10::/48", "fd00:11::/64", "::/0", "10.244.1.0/24"):
        assert members.doubts(cluster, by_name(replace(ONE, pod_cidr=pods)))


RANGES = st.one_of(st.text(max_size=20), st.ip_addresses().map(str), st.just("10.244.1.0/24"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RANGES, st.one_of(RANGES, st.just("10.1.0.11")))
def test_any_text_gives_members_or_an_error(make: Make, pods: str, address: str) -> None:
    cluster = make().cluster
    with contextlib.suppress(DeployError):
        found = members.checked(cluster, by_name(replace(ONE, pod_cidr=pods, address=address)))
        assert found["worker01"].pod_cidr in ("", pods)
        assert found["worker01"].address == "10.1.0.11"
