"""Folded node names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlws.core.errors import UsageError
from dlws.core.nodeset import evaluate, expand, fold, matches

NAMES = st.from_regex(r"[a-z]{1,3}(-?[0-9]{0,3}){0,2}[a-z]?", fullmatch=True)


@pytest.mark.parametrize(("names", "folded"), [
    ([], ""),
    (["a"], "a"),
    (["b", "a", "b"], "a,b"),
    (["infra1", "worker1", "worker2"], "infra1,worker[1-2]"),
    (["jump host 10.0.0.1", "w2", "w1"], "w[1-2],jump host 10.0.0.1"),
    (["r1n1", "r1n2", "r2n1", "r2n2"], "r[1-2]n[1-2]"),
    (["w1", "w2", "w3"], "w[1-3]"),
    (["w01", "w02", "w10", "w11"], "w[01-02,10-11]"),
    (["w9", "w10"], "w[9-10]"),
    (["gpu-1-a", "gpu-2-a", "x"], "gpu-[1-2]-a,x"),
    (["w1", "w01"], "w[1,01]"),
    (["w0", "w1"], "w[0-1]"),
])  # fmt: skip
def test_fold(names: list[str], folded: str) -> None:
    assert fold(names) == folded


@given(st.lists(NAMES, max_size=30))
def test_unfolding_gives_the_names_back(names: list[str]) -> None:
    assert evaluate(fold(names), lambda part: set(expand(part))) == set(names)


@pytest.mark.parametrize(("pattern", "name", "fits"), [
    ("w1", "w1", True),
    ("w1", "w11", False),
    ("w*", "w11", True),
    ("w[01-03]", "w02", True),
    ("w[01-03]", "w2", False),
    ("re:ORK", "worker", True),
    ("w?", "w1", True),
])  # fmt: skip
def test_matches(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, [name]) is fits


@pytest.mark.parametrize(("pattern", "expanded"), [
    ("w", ["w"]),
    ("w[1-3]", ["w1", "w2", "w3"]),
    ("w[01-05/2,9]", ["w01", "w03", "w05", "w9"]),
    ("r[1-2]n[1-2]*", ["r1n1*", "r1n2*", "r2n1*", "r2n2*"]),
    ("w[ab]", ["w[ab]"]),
    ("w[1-2", ["w[1-2"]),
])  # fmt: skip
def test_expand(pattern: str, expanded: list[str]) -> None:
    assert sorted(expand(pattern)) == sorted(expanded)


@pytest.mark.parametrize("pattern", ["w[1-99999999]", "w[3-1]", "w[1-6000,1-6000]"])
def test_ranges_that_stand_for_no_names_or_too_many_are_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        expand(pattern)


@pytest.mark.parametrize(("expression", "found"), [
    ("a", "a"),
    ("a,b", "ab"),
    ("abc!b", "ac"),
    ("abc&bcd", "bc"),
    ("abc^bcd", "ad"),
    ("abc!b,b&b", "b"),  # from left to right
    ("re:x,y", "re:x,y"),
    ("", ""),
])  # fmt: skip
def test_set_operations(expression: str, found: str) -> None:
    assert evaluate(expression, set) == set(found)
