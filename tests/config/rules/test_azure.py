"""Machines on Azure: what Azure would refuse."""

from __future__ import annotations

import pytest

from dlws.config.schema import schema
from tests.support.configs import assert_problem, look, minimal


@pytest.mark.parametrize(("text", "words"), [
    ("azure_cluster: {priority: spot, availability_set: a}", "no availability set together with"),
    ("azure_cluster: {zones: [1], availability_set: a}", "together with zones"),
    ("azure_cluster: {worker_scale_set: true, availability_set: a}", "worker_scale_set"),
    ("azure_cluster: {nfs_node_num: 1, nfs_vm: [{suffix: a}, {suffix: b}]}", "nfs_node_num is 1"),
    ("azure_cluster: {nfs_node_num: 2, nfs_vm: [{suffix: a}, {suffix: a}]}", "has this suffix"),
    ("azure_cluster: {cloud: mars}", "is not a cloud"),
    ("azure_cluster: {cloud: {resource_manager: https://a}}", "authority is missing"),
    ("azure_cluster: {vm_image: ubuntu}", "is not an image"),
    ("azure_cluster: {priority: cheap}", "priority"),
    ("azure_cluster: {worker_node_num: -1}", "at least 0"),
    ("azure_cluster: {autoscale: {min_workers: 3, max_workers: 2}}", "less than min_workers, 3"),
    ("admin_username: admin\nazure_cluster: {}", "lets nobody be called admin"),
    ("cloud_config_nsg_rules: {tcp_port_ranges: 80 ssh}", "is not a port"),
    ("cloud_config_nsg_rules: {tcp_port_ranges: 90-80}", "is not a port"),
    ("cloud_config_nsg_rules: {dev_network: {source_addresses_prefixes: [1.2.3]}}", "no source of"),
    ("cloud_config_nsg_rules: {vnet_range: 10.244.0.0/14}\nazure_cluster: {}", "pod_cidr"),
    ("cloud_config_nsg_rules: {vnet_range: 192.168.0.0/30}\nazure_cluster: {}", "that Azure takes"),
])  # fmt: skip
def test_what_is_refused(text: str, words: str) -> None:
    assert_problem(text, words)


def test_the_ancestors_spelling_is_understood() -> None:
    found = look(
        minimal("""
cloud_config_nsg_rules:
  vnet_range: 192.168.0.0/16
  default_admin_username: core
  tcp_port_ranges: "80 443 30000-49999"
  udp_port_ranges: 25826
  dev_network: {tcp_port_ranges: "22 1443", source_addresses_prefixes: [203.0.113.0/24]}
  nfs_ssh: {port: 22, source_ips: [203.0.113.1]}
  nfs_allow_master: {tcp_port_ranges: 10250}
azure_cluster:
  azure_location: westus2
  priority: low
  nfs_vm: [{suffix: a, data_disk_num: 1}]
  cloud: china
""")
    )
    assert found.problems == []
    assert found.config and found.config.azure_cluster
    rules, azure = found.config.cloud_config_nsg_rules, found.config.azure_cluster
    assert rules.tcp_port_ranges == ["80", "443", "30000-49999"]
    assert rules.udp_port_ranges == ["25826"] and rules.nfs_allow_master.tcp_port_ranges == [
        "10250"
    ]
    assert azure.cloud.resource_manager == "https://management.chinacloudapi.cn"


def test_editors_take_the_words_that_are_understood() -> None:
    made = schema()["$defs"]
    cloud = made["AzureCluster"]["properties"]["cloud"]["anyOf"]
    assert cloud[0] == {"enum": ["public", "usgovernment", "china"]} and "authority" in str(
        cloud[1]
    )
    kinds = made["NsgRules"]["properties"]["tcp_port_ranges"]["anyOf"]
    assert [kind["type"] for kind in kinds] == [["string", "integer"], "array"]
