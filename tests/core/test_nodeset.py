"""Folded node names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlws.core.nodeset import fold, matches, split, unfold

NAMES = st.from_regex(r"[a-z]{1,3}(-?[0-9]{0,3}){0,2}[a-z]?", fullmatch=True)


@pytest.mark.parametrize(("names", "folded"), [
    ([], ""),
    (["a"], "a"),
    (["w1", "w2", "w3"], "w[1-3]"),
    (["w01", "w02", "w10", "w11"], "w[01-02,10-11]"),
    (["w9", "w10"], "w[9-10]"),
    (["gpu-1-a", "gpu-2-a", "x"], "gpu-[1-2]-a,x"),
    (["w1", "w01"], "w1,w01"),
    (["w0", "w1"], "w[0-1]"),
])  # fmt: skip
def test_fold(names: list[str], folded: str) -> None:
    assert sorted(split(fold(names))) == sorted(split(folded))


@given(st.lists(NAMES, max_size=30))
def test_unfolding_gives_the_names_back(names: list[str]) -> None:
    unfolded = [name for part in split(fold(names)) for name in unfold(part)]
    assert sorted(unfolded) == sorted(set(names))


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
