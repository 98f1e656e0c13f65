"""Which fields are ours, as an API server has them on record."""

from __future__ import annotations

from typing import Any

import pytest

from dlws.services.compare import owned, same_numbers, within

PORTS: dict[str, Any] = {
    'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}
}


@pytest.mark.parametrize(
    ("value", "mine", "expected"),
    [
        ({"a": 1}, {"f:a": {}}, True),
        ({"a": 1, "b": 2}, {"f:a": {}}, False),
        ({"a": {"b": 1}}, {"f:a": {}}, True),
        ({"a": {"b": 1}}, {"f:a": {".": {}, "f:c": {}}}, False),
        ({"emptyDir": {}, "name": "x"}, {".": {}, "f:name": {}}, True),
        ([{"containerPort": 80}], PORTS, True),
        ([{"containerPort": 81}], PORTS, False),
        ([{"containerPort": 80, "protocol": "UDP"}], PORTS, False),
        (["x"], {'v:"x"': {}}, True),
        (["y"], {'v:"x"': {}}, False),
        (["a", "b"], {}, True),
    ],
)
def test_all_of_a_value_is_ours(value: Any, mine: dict[str, Any], expected: bool) -> None:
    assert owned(value, mine) is expected


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        ({"spec": {"replicas": 2}}, {"spec": {"replicas": 1}}, False),
        ({"spec": {"replicas": 2, "cpu": "1000m"}}, {"spec": {"replicas": 2, "cpu": "1"}}, True),
        ({"hostNetwork": True}, {"hostNetwork": False}, False),
        ({"replicas": 2}, {}, True),
    ],
)
def test_numbers_are_compared_and_what_the_server_rewrites_is_not(
    wanted: dict[str, Any], live: dict[str, Any], expected: bool
) -> None:
    assert same_numbers(wanted, live) is expected


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}, True),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, False),
        ({"a": 1}, {}, False),
        ({"a": [1]}, {"a": [1, 2]}, False),
    ],
)
def test_what_is_wanted_is_within_what_is_there(wanted: Any, live: Any, expected: bool) -> None:
    assert within(wanted, live) is expected
