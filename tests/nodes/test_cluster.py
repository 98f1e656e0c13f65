"""Choosing nodes, doing the same on many, and what is said of those that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core.errors import UsageError
from tests.support.clusters import cluster_of, names_of


@pytest.mark.parametrize(("patterns", "limit", "chosen"), [
    ([], [], "infra1 gpu01 gpu02 gpu03"),
    (["gpu[02-03]"], [], "gpu02 gpu03"),
    (["worker"], ["nfs"], "gpu02"),
    (["gpu03", "gpu01"], [], "gpu01 gpu03"),
    (["infra,gpu0[1,3]"], ["re:3$"], "gpu03"),
    (["*.test.example"], [], "infra1 gpu01 gpu02 gpu03"),
    (["infra1"], ["worker"], ""),
    (["worker!gpu02"], [], "gpu01 gpu03"),
    (["@all!@infra"], ["@worker&re:[13]$"], "gpu01 gpu03"),
])  # fmt: skip
def test_select(patterns: list[str], limit: list[str], chosen: str) -> None:
    assert names_of(cluster_of(*limit).select(patterns)) == chosen


@pytest.mark.parametrize("pattern", ["gpu9", "gpu[07-09]", "samba", "$(x)", "re:^nobody$", "GPU01"])
def test_a_pattern_without_nodes_is_a_usage_error(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        cluster_of().select([pattern])
    assert "gpu[01-03],infra1" in caught.value.cure


def test_a_regular_expression_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="regular expression"):
        cluster_of().select(["re:("])
    assert names_of(cluster_of().select(["re:^gpu0{1,2}[13]$"])) == "gpu01 gpu03"


def test_a_range_without_end_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="too many names"):
        cluster_of().select(["gpu[1-99999999999]"])


def test_pick_by_index_and_name() -> None:
    cluster = cluster_of()
    assert cluster.pick("worker", "0").name == "gpu01"
    assert cluster.pick("master", "infra1.test.example").name == "infra1"
    assert cluster.pick("gpu02", "0").name == "gpu02"
    for which in ("3", "infra1", "", "-1"):
        with pytest.raises(UsageError, match="there is no worker"):
            cluster.pick("worker", which)


def test_known_words() -> None:
    cluster = cluster_of()
    assert all(map(cluster.knows, ["infra", "master", "samba", "gpu01", "gpu01.test.example"]))
    assert not any(map(cluster.knows, ["gpu", "gpu*", "./worker", ""]))


def test_the_deploy_directory_is_beside_config_yaml() -> None:
    assert cluster_of().deploy == Path.cwd() / "deploy"
