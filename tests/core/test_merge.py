"""The one deep merge."""

from __future__ import annotations

from typing import Any

from dlws.core.merge import merged


def test_mappings_are_merged_all_the_way_down() -> None:
    below: dict[str, Any] = {"a": {"b": 1, "c": {"d": 2}}, "e": 3, "f": {"g": 4}}
    above = {"a": {"c": {"x": 5}}, "e": {"y": 6}, "f": 7}
    assert merged(below, above) == {
        "a": {"b": 1, "c": {"d": 2, "x": 5}},
        "e": {"y": 6},
        "f": 7,
    }


def test_any_other_value_is_replaced() -> None:
    below = {"a": {"b": 1, "c": [1]}, "d": "x", "e": {"f": 1}}
    above = {"a": {"c": [2], "g": {}}, "d": {"h": 1}, "e": 5, "i": None}
    both = merged(below, above)
    assert both == {"a": {"b": 1, "c": [2], "g": {}}, "d": {"h": 1}, "e": 5, "i": None}
    assert merged(both, above) == both


def test_an_empty_mapping_takes_nothing_away() -> None:
    assert merged({"a": {"b": 1}}, {"a": {}}) == {"a": {"b": 1}}
    assert merged({"a": {}}, {"a": {"b": 1}}) == {"a": {"b": 1}}


def test_the_arguments_stay_as_they_are() -> None:
    below = {"a": {"b": 1, "c": 2}, "d": [1]}
    assert merged(below, {"a": {"c": 3}, "d": [2]}) == {"a": {"b": 1, "c": 3}, "d": [2]}
    assert below == {"a": {"b": 1, "c": 2}, "d": [1]}
