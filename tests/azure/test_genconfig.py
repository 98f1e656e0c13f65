"""cluster.yaml: from what is there, the same each time, read by deploy.py."""

from __future__ import annotations

from typing import Any

import pytest

from dlws.azure.genconfig import gpu_type, shares, sku
from dlws.config import load
from dlws.core.errors import UsageError
from tests.support.arm.cluster import Site
from tests.support.arm.configs import RICH, SCALE_SET
from tests.support.arm.configs import config as config_of


def written(site: Site) -> bytes:
    return (site.directory / "cluster.yaml").read_bytes()


def test_three_runs_write_it_once(site: Site) -> None:
    site("create")
    assert "changed: cluster.yaml: 4 machines" in site("genconfig").stderr
    first = written(site)
    for _ in range(2):
        assert "nothing to do" in site("genconfig").stderr
        assert written(site) == first


def test_it_is_read_without_a_warning(site: Site) -> None:
    site.configure(RICH)
    site("create")
    site("genconfig")
    config = load(site.directory)
    assert list(config.warnings) == []
    assert (config.platform, config.etcd_node_num, len(config.machines)) == ("azure", 3, 10)
    infra, worker = config.machines["atlas-infra01"], config.machines["atlas-worker01"]
    assert infra.roles == ("infrastructure",) and infra.private_ip == "10.8.255.1"
    assert infra.fqdn == "atlas-infra01.westus2.cloudapp.azure.com"
    assert (worker.type, worker.vendor, worker.node_group) == (
        "gpu",
        "nvidia",
        "Standard_NC4as_T4_v3",
    )
    assert worker.public_ip is None and worker.jump_host
    assert worker.jump_host.host == infra.public_ip
    assert config.sku_mapping["Standard_NC4as_T4_v3"].gpu_type == "T4"
    assert config.nfs_disk_mnt["atlas-nfs-data"]["path"] == "/data"


def test_instances_of_a_scale_set_are_machines(site: Site) -> None:
    site.configure(SCALE_SET)
    site("create")
    site("genconfig")
    workers = load(site.directory).with_role("worker")
    assert [one.name for one in workers] == ["atlas-worker-000000", "atlas-worker-000001"]


def test_what_a_person_wrote_is_not_overwritten(site: Site) -> None:
    site("create")
    (site.directory / "cluster.yaml").write_text("etcd_node_num: 1\n")
    assert "was not written by genconfig" in site("genconfig", code=4).stderr
    assert written(site) == b"etcd_node_num: 1\n"
    site("--force", "genconfig")
    assert b"atlas-infra01" in written(site)


def test_a_dry_run_writes_nothing(site: Site) -> None:
    site("create")
    done = site("--dry-run", "genconfig")
    assert "would write cluster.yaml: 4 machines" in done.stderr
    assert not (site.directory / "cluster.yaml").exists()


def test_without_machines_there_is_nothing_to_write(site: Site) -> None:
    assert "has no machines of this cluster" in site("genconfig", code=2).stderr


@pytest.mark.parametrize(("size", "expected"), [
    ("Standard_NC4as_T4_v3", "T4"), ("Standard_NC24ads_A100_v4", "A100"),
    ("Standard_ND96isr_H100_v5", "H100"), ("Standard_NV36ads_A10_v5", "A10"),
    ("Standard_NC6", "K80"), ("Standard_NC6s_v2", "P100"), ("Standard_NC24rs_v3", "V100"),
    ("Standard_ND6s", "P40"), ("Standard_ND40rs_v2", "V100"), ("Standard_D4s_v5", ""),
])  # fmt: skip
def test_gpus_by_size(size: str, expected: str) -> None:
    assert gpu_type(size) == expected


def test_a_size_as_sku_mapping_says_it() -> None:
    values = {"vCPUs": "40", "MemoryGB": "672", "GPUs": "8", "RdmaEnabled": "True"}
    about: dict[str, Any] = {"capabilities": [{"name": k, "value": v} for k, v in values.items()]}
    assert sku("Standard_ND40rs_v2", about) == {
        "cpu": 40, "memory": "672Gi", "gpu": 8, "gpu-type": "V100", "infiniband": True,
    }  # fmt: skip
    assert sku("Standard_X", {}) == {}


SETUP = """
nfs_mnt_setup:
- mnt_point:
    work: {filesharename: /data/work, curphysicalmountpoint: /mnt/w, mountpoints: [models]}
- server_suffix: data
  mnt_point:
    rootshare: {filesharename: /data/share, curphysicalmountpoint: /mntdlws}
    more: {filesharename: /data/share, curphysicalmountpoint: /mnt/m, mountpoints: [more]}
"""


def test_shares_of_nfs_mnt_setup_have_their_server(site: Site) -> None:
    site.configure(RICH + SETUP)
    site("create")
    site("genconfig")
    config = load(site.directory)
    assert list(config.warnings) == []
    servers = {name: (one.type, one.servername) for name, one in config.mountpoints.items()}
    assert servers == {"work": ("nfs", "atlas-nfs02"), "rootshare": ("nfs", "atlas-nfs-data"),
                       "more": ("nfs", "atlas-nfs-data")}  # fmt: skip
    address = config.machines["atlas-nfs-data"].private_ip
    assert config.mountpoints["rootshare"].server == address
    assert config.nfs_disk_mnt["atlas-nfs-data"]["fileshares"] == ["/data/share"]
    assert config.nfs_disk_mnt["atlas-nfs02"]["fileshares"] == ["/data/work"]
    assert config.worker_sku_cnt == {"Standard_NC4as_T4_v3": 3}
    before = written(site)
    site("genconfig")
    assert written(site) == before


@pytest.mark.parametrize(("old", "new", "words"), [
    ("server_suffix: data", "server_suffix: other", "there is no file server atlas-nfs-other"),
    ("/data/work", "/srv/work", "work: /srv/work is not in /data, what atlas-nfs02 serves"),
    ("server_suffix: data", "server_name: atlas-nfs02", ""),
    ("- server_suffix: data\n  mnt", "- {}\n- mnt", "more entries than there are file servers"),
])  # fmt: skip
def test_setups_that_fit_no_server(old: str, new: str, words: str) -> None:
    made = config_of(RICH + SETUP.replace(old, new))
    served = {name: {"path": "/data", "ip": "10.8.0.4", "fileshares": []}
              for name in ("atlas-nfs-data", "atlas-nfs02")}  # fmt: skip
    if words:
        with pytest.raises(UsageError, match=words):
            shares(made, served)
    else:
        assert shares(made, served)["work"]["servername"] == "atlas-nfs-data"


def test_what_config_yaml_and_the_older_file_say_counts(site: Site) -> None:
    older = "azure_cluster: {worker_vm_size: Standard_D2s_v5}\n"
    older += "sku_mapping: {Standard_D2s_v5: {memory: 3Gi, gpu-type: none}}\n"
    (site.directory / "azure_cluster_config.yaml").write_text(older)
    site("create")
    site("genconfig")
    config = load(site.directory)
    assert config.worker_sku_cnt == {"Standard_D2s_v5": 2}
    sizes = config.sku_mapping["Standard_D2s_v5"]
    assert (sizes.cpu, sizes.memory) == (2, "3Gi")
    before = written(site)
    site("genconfig")
    assert written(site) == before
    assert config.machines["atlas-worker01"].type == "cpu"
    site.change("azure_cluster: {", "sku_mapping: {Standard_D2s_v5: {cpu: 7}}\nazure_cluster: {")
    assert load(site.directory).sku_mapping["Standard_D2s_v5"].cpu == 7
