"""Other spellings of keys, and keys of older configurations that nothing here reads."""

from __future__ import annotations

# Flat keys of the older configurations → where the model has them.
MOVED: dict[str, tuple[str, ...]] = {
    "k8s-gitbranch": ("kubernetes", "version"),
    "k8sAPIport": ("kubernetes", "api_port"),
    "pod_ip_range": ("kubernetes", "pod_cidr"),
    "service_cluster_ip_range": ("kubernetes", "service_cidr"),
    "service-node-port-range": ("kubernetes", "node_port_range"),
    "kube-vip": ("kubernetes", "endpoint"),
    "network_domain": ("network", "domain"),
    "ssh_cert": ("ssh", "key"),
    "worker_node_num": ("onpremise_cluster", "worker_node_num"),
    "gpu_count_per_node": ("onpremise_cluster", "gpu_count_per_node"),
    "gpu_type": ("onpremise_cluster", "gpu_type"),
    "onpremise": ("onpremise_cluster",),
}

# Misspellings that real configurations carry; understood, with a warning.
MISSPELLED = {
    "dltsdata-atorage-mount-path": "dltsdata-storage-mount-path",
    "defalt_virtual_cluster_name": "default_virtual_cluster_name",
}

_OLD = """
network: discoverserver homeinserver homeininterval ssl_localhost_ips proxy basic_auth
etcd: etcd3port1 etcd3port2 etcd3portserver deploydockerETCD etcd_node kubernetes_master_node
  worker_node nfs_node mysqlserver_node elasticsearch_node samba_node allroles
kubernetes: kubepresleep kube_custom_cri kube_custom_scheduler k8s-gitrepo k8scri-gitrepo
  k8scri-gitbranch k8s-bld kubelogdir kubeloglevel kubeletlogdir kubeletloglevel
  kube_configchanges kube_addons k8Sdaemon default_kube_labels_by_node_role
  kube_services_2_start service_2_docker_map dnsPolicy acskubeconfig isacs acsagentsize
machines: platform-scripts priority copy_sshtemp ssh_origfile sshKeys coreos ubuntuconfig pxeserver
  systemdisk nvidiadriverversion nvidia-driver-path cloud-init scale_down
storage: physical-mount-path-vc local-mount-path nfs-mnt-src-path folder_auto_share
  mountdescription infiniband_mounts data-disk partition-configuration localdisk
  workFolderAccessPoint dataFolderAccessPoint smbUsername smbUserPassword enable_blobfuse
  local_fast_storage cluster_nfs system_mountpoints vc_without_shared_storage glusterFS
  hdfsconfig launch-glusterfs-opt mountsupportedbycoreos data_platform_path
users: sqlserver-hostname sqlserver-username sqlserver-password sqlserver-database
  DeployAuthentications domain-offset WinbindServers master_token extranet_protocol extranet_port
  restfulapi_node webportal_node inituser enable_vc i18n vc_resource_ratio vc_config
  per_user_gpu_limit schedulable_ratio job_resource_policy default_cpurequest
  default_cpulimit default_memoryrequest default_memorylimit vc_node_hard_assignment
  distributed_system_envs nccl_ib_disable enable_cpuworker default_cpu_sku sku_meta
images: infrastructure-dockerregistry worker-dockerregistry infrastructure-dockers
  build-docker-via-config docker-run heketi-docker private_docker_registry
  private_docker_registry_username docker_image_versions render-exclude render-by-copy-ext
  render-by-copy render-by-copy-full render-by-line render-by-line-ext
monitoring: prometheus job-exporter node-exporter watchdog grafana fluent_bit storage-manager
  alert-manager smtp elasticsearch azure_blob_log job-manager Dashboards influxdb_node influxdb_port
  influxdb_tp_port influxdb_rpc_port influxdb_data_path cloud_influxdb_node cloud_influxdb_port
  cloud_influxdb_tp_port cloud_elasticsearch_node cloud_elasticsearch_port storagemanager
  repairmanager repairmanageretcd repairmanageragent restfulapi grafana_alert
azure: cloud_config_nsg_rules sku_mapping virtual_machines cloud_init_infra cloud_init_worker
  cloud_init_nfs cloud_init_mysqlserver cloud_init_elasticsearch dynamic_worker_num
  monitor_again_after integration-test azure_location infra_vm_size worker_vm_size vm_image
"""


def _old() -> dict[str, str]:
    keys: dict[str, str] = {}
    group = ""
    for word in _OLD.split():
        if word.endswith(":"):
            group = word[:-1]
        else:
            keys[word] = group
    return keys


OLD = _old()
"""Key → what it was about. Understood, so that an old configuration does not drown in warnings."""
