from __future__ import annotations

import pytest

from dlws.azure.template import names, storage
from tests.support.arm import contract
from tests.support.arm.configs import PLAIN, config


def test_the_sdk_knows_the_account_and_its_container() -> None:
    for one in storage.request(config()).resources:
        assert contract.of_resource(one) == []


@pytest.mark.parametrize(("where", "value", "wrong"), [
    ("kind", "StorageV9", "none of Kind"), ("location", None, "location: missing"),
    ("properties", {"minTlsVersion": "TLS1_2"}, "properties.minTlsVersion: unknown"),
    ("properties", {"primaryEndpoints": {}}, "unknown"),
    ("sku", {"name": "Slow_LRS"}, "none of SkuName")])  # fmt: skip
def test_known_bad_accounts_are_caught(where: str, value: object, wrong: str) -> None:
    bad = {**storage.account(config()), where: value}
    if value is None:
        del bad[where]
    assert wrong in "; ".join(contract.of_resource(bad))


def test_nobody_reads_it_without_a_key_or_without_tls() -> None:
    about = storage.account(config())["properties"]
    assert about["allowBlobPublicAccess"] is False and about["supportsHttpsTrafficOnly"] is True


@pytest.mark.parametrize(("cluster", "name"), [
    ("Atlas", "atlasstorage"), ("a_b-C9", "abc9storage"),
    ("x" * 40, "x" * 17 + "storage")])  # fmt: skip
def test_its_name_is_legal(cluster: str, name: str) -> None:
    found = names.storage_account(config(PLAIN.replace("Atlas", cluster)))
    assert found == name and not names.illegal("storage account", found)


def test_the_way_in_names_the_cloud_of_its_endpoint() -> None:
    found = storage.connection_string("a", "k==", "https://a.blob.core.chinacloudapi.cn/")
    assert found == ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=k==;"
                     "EndpointSuffix=core.chinacloudapi.cn")  # fmt: skip
