"""Virtual clusters: what the first one has, and what of them may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlws.core.errors import UsageError
from dlws.database import vcs
from dlws.database.vcs import Vc
from tests.support.fakes import CONFIG, config_of

SIZES = """
onpremise_cluster: {gpu_count_per_node: 8}
sku_mapping:
  big: {cpu: 40, memory: 672Gi, gpu: 4, gpu_memory: 32Gi, gpu-type: V100}
"""


def test_the_first_one_has_all_devices(tmp_path: Path) -> None:
    config = config_of(tmp_path, CONFIG.replace("type: gpu,", "type: gpu, sku: big,") + SIZES)
    assert vcs.whole(config) == Vc(
        None,
        {"V100": 4, "huawei_npu_arm64": 8},
        {"V100": {"num_gpu_per_node": 4}, "huawei_npu_arm64": {"num_gpu_per_node": 8}},
        {
            "cpu": {"big": 36},
            "memory": {"big": "604Gi"},
            "gpu": {"big": 4},
            "gpu_memory": {"big": "32Gi"},
        },
    )
    change = vcs.first(config)
    assert change.parameters[0] == "platform"
    assert json.loads(change.parameters[1]) == {"V100": 4, "huawei_npu_arm64": 8}


def test_counts_are_types_and_numbers() -> None:
    assert vcs.counts(()) is None
    assert vcs.counts(("V100=8", "a=b=0")) == {"V100": 8, "a=b": 0}
    for word in ("V100", "=8", "V100=-1", "V100=x", "V100=٣"):
        with pytest.raises(UsageError, match="is no quota"):
            vcs.counts((word,))


def test_documents_are_json_objects() -> None:
    assert vcs.document("metadata", None) is None
    assert vcs.document("metadata", '{"a": 1}') == {"a": 1}
    for text in ("[1]", "{a"):
        with pytest.raises(UsageError, match="--metadata"):
            vcs.document("metadata", text)


ROW: dict[str, Any] = {"parent": None, "quota": {"V100": 8}, "metadata": {}, "resourceQuota": None}


def test_what_is_there_is_not_changed_by_add() -> None:
    assert vcs.addition({"a": ROW}, "a", Vc()) == []
    assert vcs.addition({"a": ROW}, "a", Vc(quota={"V100": 8})) == []
    with pytest.raises(UsageError, match="with other values"):
        vcs.addition({"a": ROW}, "a", Vc(quota={"V100": 9}))


def test_update_sends_what_differs_alone() -> None:
    assert vcs.update({"a": ROW}, "a", Vc(quota={"V100": 8})) == []
    (change,) = vcs.update({"a": ROW}, "a", Vc(quota={"V100": 9}))
    assert change.sql == "UPDATE vc SET `quota` = %s WHERE vcName = %s"
    assert change.parameters == ('{"V100": 9}', "a")
    with pytest.raises(UsageError, match="there is no virtual cluster 'b'"):
        vcs.update({"a": ROW}, "b", Vc())


def test_a_parent_exists_and_is_no_part() -> None:
    found: dict[str, dict[str, Any]] = {"a": ROW, "b": {**ROW, "parent": "a"}}
    (change,) = vcs.addition(found, "c", Vc(parent="b"))
    assert "b" in change.parameters
    for name, parent in (("a", "b"), ("a", "a"), ("a", "x")):
        with pytest.raises(UsageError, match="cannot be the parent"):
            vcs.update(found, name, Vc(parent=parent))


def test_a_quota_fits_its_column() -> None:
    with pytest.raises(UsageError, match="255"):
        vcs.addition({}, "a", Vc(quota={"x" * 250: 1}))
