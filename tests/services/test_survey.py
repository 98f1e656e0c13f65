"""What the cluster says that services have."""

from __future__ import annotations

import pytest

from dlws.core.errors import DeployError
from dlws.services.compare import owned
from dlws.services.survey import ref


@pytest.mark.parametrize(
    "line",
    [
        "v1 ConfigMap configmaps ns x",
        "rbac.authorization.k8s.io/v1 ClusterRole clusterroles - system:x",
        "e.org/v1 Mouse mice - x",
    ],
)
def test_a_line_of_an_inventory_is_what_was_written(line: str) -> None:
    assert ref(line).line() == line


@pytest.mark.parametrize(
    "line",
    ["", "a b", "v1 ConfigMap ../../x n x", "v1 Pod pods n x/y", "v1 Pod pods n x y", "\u2028"],
)
def test_a_line_that_makes_no_sense_is_said(line: str) -> None:
    with pytest.raises(DeployError, match="makes no sense"):
        ref(line)


def test_an_inventory_cannot_have_one_kind_deleted_for_another() -> None:
    found = ref("v1 ConfigMap persistentvolumeclaims ns data")
    assert found.path == "/api/v1/namespaces/ns/configmaps/data"


def test_a_name_is_one_part_of_a_path() -> None:
    line = "rbac.authorization.k8s.io/v1 Role roles ns web?propagationPolicy=x#"
    assert ref(line).path.endswith("/namespaces/ns/roles/web%3FpropagationPolicy%3Dx%23")


@pytest.mark.parametrize("key", ["k:{", "k:[" * 9000, "k:1", "v:", "x"])
def test_a_key_of_managed_fields_that_is_none_names_nothing(key: str) -> None:
    assert not owned([{"name": "web"}], {key: {}})
