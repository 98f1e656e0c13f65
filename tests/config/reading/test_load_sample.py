"""The sample of the installation guide, as it stands: misspellings, duplicates and all."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import Config, load
from tests.support.configs import DATA


@pytest.fixture
def sample(tmp_path: Path) -> Config:
    (tmp_path / "config.yaml").write_bytes((DATA / "atlas.yaml").read_bytes())
    return load(tmp_path)


def test_every_oddity_is_a_warning_with_its_place(sample: Config) -> None:
    assert [(p.line, p.column, p.message.split(" ")[0].rstrip(":")) for p in sample.warnings] == [
        (5, 3, "network.container-network-iprange"),
        (87, 1, "admin_username"),
        (90, 1, "dockerregistry"),
        (91, 1, "dockers"),
        (96, 1, "custom_mounts"),
        (100, 1, "datasource"),
        (101, 1, "defalt_virtual_cluster_name"),
        (111, 1, "dltsdata-atorage-mount-path"),
        (128, 23, "onpremise_cluster.worker_node_num"),
        (141, 15, "jwt.secret_key"),
        (166, 17, "apt_mirror_url"),
    ]
    assert all(p.level == "warning" and p.cure for p in sample.warnings)


def test_every_key_of_it_is_understood(sample: Config) -> None:
    assert not [p for p in sample.warnings if "nothing knows" in p.message]


def test_machines_and_scale_up_are_the_nodes(sample: Config) -> None:
    machines = {name: (m.fqdn, m.roles, m.archtype, m.type) for name, m in sample.machines.items()}
    assert machines == {
        "atlas02": ("atlas02.clusters.example", ("infrastructure",), "arm64", "npu"),
        "atlas01": ("atlas01.clusters.example", ("worker",), "arm64", "npu"),
        "atlas-gpu01": ("atlas-gpu01.clusters.example", ("worker",), "amd64", "gpu"),
        "atlas-gpu02": ("atlas-gpu02.clusters.example", ("worker",), "amd64", "gpu"),
    }
    assert sample.machines["atlas02"].private_ip == "192.168.9.2"
    assert [m.scale_up for m in sample.machines.values()] == [False, True, True, True]


def test_its_values(sample: Config) -> None:
    assert str(sample.kubernetes.version) == "1.18.0"
    assert sample.runtime == "docker"
    assert sample.kubernetes.api_port == 6443
    assert sample.apt_mirror_url == "http://mirrors.aptly.example"
    assert sample.dns_servers == ["192.0.2.50"]
    assert sample.user_groups["DLWSRegister"].uid == "20001-29999"
    assert sample.dltsdata_storage_mount_path == "/dltsdata"
    assert sample.default_virtual_cluster_name == "platform"
    assert sample.mountpoints["nfsshare1"].mountpoints == []
    assert sample.data_disk == ["/dev/[sh]d[^a]"]


def test_its_secrets_survive_and_stay_hidden(sample: Config) -> None:
    assert sample.mysql_password is not None
    assert sample.mysql_password.get_secret_value() == "orchid#1968#thursday"
    microsoft = sample.authentications["Microsoft"]["ClientSecret"]
    assert microsoft.get_secret_value() == "7QX[2?k9mNm_4dogBwBuapqrRSssTTu."
    assert sample.repair_manager["alert"]["password"].get_secret_value() == "abcdefghijklmnop"
    shown = f"{sample!r} {sample} {sample.model_dump()} {sample.model_dump_json()}"
    for secret in ("orchid", "7QX", "00aa11bb", "abcdefghijklmnop", "Sign key"):
        assert secret not in shown


def test_the_model_is_frozen(sample: Config) -> None:
    with pytest.raises(ValueError, match="frozen"):
        sample.cluster_name = "other"  # type: ignore[misc]
