"""Clusters on Azure, as configurations."""

from __future__ import annotations

from pathlib import Path

from dlws.azure.template.resources import Access
from dlws.config import Config, from_text

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Yy5cDPmA7Zb0mYh7xPv2m0v8bJ0aXn3lT0m3lC1qE a@b"
ACCESS = Access("dlwsadmin", (KEY,))
PLAIN = """
cluster_name: Atlas
azure_cluster: {subscription: test, worker_node_num: 2, nfs_node_num: 1}
cloud_config_nsg_rules:
  dev_network: {source_addresses_prefixes: [203.0.113.0/24]}
"""
RICH = """
cluster_name: atlas
azure_cluster:
  worker_node_num: 3
  infra_node_num: 3
  mysqlserver_node_num: 1
  elasticsearch_node_num: 1
  nfs_node_num: 2
  nfs_vm: [{suffix: data, data_disk_num: 2, data_disk_sz_gb: 100, vm_size: Standard_D2s_v5}]
  priority: spot
  public_ips: infra
  tags: {owner: lab}
cloud_config_nsg_rules:
  vnet_range: 10.8.0.0/16
  udp_port_ranges: 500 4500
  restricted_source_address_prefixes: [198.51.100.0/24, CorpNetPublic]
  service_tags: [AzureCloud.westus2]
  dev_network: {source_addresses_prefixes: [203.0.113.7, 203.0.113.8/32]}
  nfs_share: {source_ips: [198.51.100.0/25]}
"""
ZONES = PLAIN.replace("nfs_node_num: 1", "nfs_node_num: 0, zones: [1, 2], public_ips: none")
SCALE_SET = PLAIN.replace("nfs_node_num: 1", "nfs_node_num: 0, worker_scale_set: true")
PLACED = PLAIN.replace("nfs_node_num: 1", "nfs_node_num: 0, availability_set: together")
ALL = {"plain": PLAIN, "rich": RICH, "zones": ZONES, "scale set": SCALE_SET, "placed": PLACED}


def config(text: str = PLAIN, directory: Path = Path()) -> Config:
    return from_text(text, directory)
