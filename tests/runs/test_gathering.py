"""What many nodes say is said once, and every node's own order is kept."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from dlws.runs.gathering import Gathering, Unit, blocks, woven


def units(words: str) -> list[Unit]:
    return [("err", word) for word in words.split(",")]


def weave(**said: str) -> list[str]:
    found = woven({name: units(words) for name, words in said.items()})
    return [f"{'+'.join(names)}: {text}" for names, (_, text) in found]


def test_equal_sequences_are_said_once() -> None:
    assert weave(a="x,y", b="x,y", c="x,y") == ["a+b+c: x", "a+b+c: y"]


def test_differences_stand_between_what_is_common_in_the_order_of_the_nodes() -> None:
    assert weave(a="x,1,y", b="x,2,y", c="x,1,y") == ["a+b+c: x", "a+c: 1", "b: 2", "a+b+c: y"]


def test_more_and_less_than_others() -> None:
    assert weave(a="x", b="x,y", c="w,x") == ["c: w", "a+b+c: x", "b: y"]


def test_a_blank_or_repeated_line_tears_nothing_apart() -> None:
    assert weave(a="1,2,,end", b=",9,end") == ["a: 1", "a: 2", "a: ", "b: ", "b: 9", "a+b: end"]
    assert weave(a="1,ok,2,ok", b="ok,ok") == ["a: 1", "a: ok", "a: 2", "a: ok", "b: ok", "b: ok"]


def test_many_different_lines_are_not_compared() -> None:
    said = {name: [("out", f"{name}{i}") for i in range(3000)] for name in ("a", "b")}
    assert [unit for _, unit in woven(said)] == [*said["a"], *said["b"]]


def test_equal_answers_are_one_block() -> None:
    found = list(blocks({"a": ["1", "2"], "b": ["3"], "c": ["1", "2"]}))
    assert found == [(["a", "c"], ["1", "2"]), (["b"], ["3"])]


def test_what_is_held_is_bounded() -> None:
    gathering = Gathering(["a", "b"], most=1000)
    assert gathering.hold("a", ("out", "x" * 500), answer=True)
    assert not gathering.hold("a", ("out", "y" * 500), answer=True)
    assert gathering.taken("a") == [("out", "x" * 500)]
    assert not gathering.hold("a", ("out", "z")), "once shown, a node's text stays in order"


_sequences = st.lists(st.sampled_from(["", "a", "b", "c", "d"]), max_size=12)


@given(st.dictionaries(st.sampled_from("uvwxyz"), _sequences))
def test_every_node_keeps_its_own_text(said: dict[str, Sequence[str]]) -> None:
    found = woven({name: [("err", text) for text in texts] for name, texts in said.items()})
    for name, texts in said.items():
        assert [text for names, (_, text) in found if name in names] == list(texts)
