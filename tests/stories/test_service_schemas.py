"""The manifests of our services are what several releases of Kubernetes take."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from kubernetes_validate import utils

from dlws.core.version import NEWEST, OLDEST
from dlws.services import seen
from dlws.services.folder import load_all
from dlws.services.manifests import template_of
from dlws.services.values import Templates
from tests.support.examples import cluster_of, filled_in, objects_of

FIRST_SCHEMA = 25
"""The oldest release whose schemas the validator has."""
OF_1_18 = {
    "v1", "apps/v1", "batch/v1beta1", "rbac.authorization.k8s.io/v1", "apiregistration.k8s.io/v1",
    "networking.k8s.io/v1",
}  # fmt: skip
"""What our manifests use of it; the API server of 1.18 serves all of these."""


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """Each schema is read once, not once an object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


def bodies(directory: Path, minor: int) -> list[dict[str, Any]]:
    """With a share that jobs have, which some manifests are made for."""
    text = filled_in(f"1.{minor}.0", nfs_root_access="infrastructure")
    cluster = cluster_of(directory, text)
    assert seen.job_share(cluster.config)
    return [one.body for found in objects_of(cluster).values() for one in found]


@pytest.mark.parametrize("minor", [FIRST_SCHEMA, 31, NEWEST])
def test_manifests_are_valid(tmp_path: Path, minor: int) -> None:
    for body in bodies(tmp_path, minor):
        try:
            kubernetes_validate.validate(body, f"1.{minor}", strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{body['kind']} {body['metadata']['name']}: {error.message[:400]}")


def test_the_oldest_release_serves_what_manifests_are_of(tmp_path: Path) -> None:
    found = bodies(tmp_path, OLDEST)
    assert sum(template_of(one) is not None for one in found) >= 20
    assert {body["apiVersion"] for body in found} <= OF_1_18
    assert "seccompProfile" not in str(found)  # a field of pods from 1.19 on
    # The rest of each has not changed since: it is held against the oldest schemas that there are.
    for body in found:
        if body["kind"] != "CronJob":
            kubernetes_validate.validate(body, f"1.{FIRST_SCHEMA}", strict=True)


def test_the_cluster_has_one_dns(tmp_path: Path) -> None:
    text = filled_in()
    ours = objects_of(cluster_of(tmp_path, text))["cluster-dns"]
    service = next(one.body for one in ours if one.key.kind == "Service")
    assert (service["metadata"]["name"], service["spec"]["clusterIP"]) == ("kube-dns", "10.96.0.10")
    addon = text.replace('"skip_phases": ["addon/coredns"]', '"skip_phases": []')
    assert (
        Templates(cluster := cluster_of(tmp_path, addon)).objects(
            load_all(cluster.directory)["cluster-dns"]
        )
        == []
    )
