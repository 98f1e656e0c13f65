"""A storage account for logs comes, is reached and goes."""

from __future__ import annotations

from tests.support.arm.cluster import Site
from tests.support.arm.machines import KEY
from tests.support.arm.world import ACCOUNT, SUBSCRIPTION, resource_id

KEPT = "deploy/logging/connection_string"


def test_it_is_made_once_and_the_cluster_takes_it_along_when_it_goes(site: Site) -> None:
    site("--dry-run", "logging_storage", "create")
    assert not site.arm.wrote()
    site("logging_storage", "create")
    (made,) = site.arm.world.of(ACCOUNT)
    assert made["name"] == "atlasstorage" and made["tags"]["cluster"] == "Atlas"
    site.arm.asked.clear()
    assert "nothing to do" in site("logging_storage", "create").stderr
    assert site.arm.wrote() == []
    site("create")
    site("delete", typed="Atlas\n")
    assert not site.arm.world.resources


def test_the_way_in_is_kept_and_shown_nowhere(site: Site) -> None:
    site("logging_storage", "connection_string", code=2)
    site("logging_storage", "create")
    done = site("logging_storage", "connection_string")
    path = site.directory / KEPT
    assert f"AccountKey={KEY}1;EndpointSuffix=core.windows.net\n" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert KEY not in done.output + site.records()
    assert "nothing to do" in site("logging_storage", "connection_string").stderr


def test_it_goes_by_consent_alone(site: Site) -> None:
    site("logging_storage", "create")
    site.arm.asked.clear()
    site("logging_storage", "delete", code=4, typed="atlas\n")
    assert site.arm.wrote() == []
    site("logging_storage", "delete", typed="Atlas\n")
    assert site.arm.world.of(ACCOUNT) == []
    assert "nothing to do" in site("logging_storage", "delete", "--yes-delete", "Atlas").stderr


def test_an_account_of_others_is_left_alone(site: Site) -> None:
    site("create")
    where = resource_id("AtlasResGrp", "Microsoft.Storage/storageAccounts", "atlasstorage")
    assert SUBSCRIPTION in where
    body = {"location": "westus2", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    site.arm.world.put(where, body, "2026-09-01")
    site.arm.asked.clear()
    for words in (["create"], ["connection_string"], ["delete", "--yes-delete", "Atlas"]):
        done = site("logging_storage", *words, code=4)
        assert "atlasstorage is not this cluster's" in done.stderr
    assert site.arm.wrote() == []


def test_a_name_that_somebody_has_comes_with_its_cure(site: Site) -> None:
    site.arm.world.taken.add("atlasstorage")
    done = site("logging_storage", "create", code=1)
    assert "already taken" in done.stderr and "storage_account_name" in done.stderr
