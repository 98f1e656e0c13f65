"""Files that hold anything at all, and the places of what they hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlws.config.reading.source import parse
from tests.support.configs import assert_problem, look

LIMITS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def spot(text: str, *path: str | int, key: bool = False) -> tuple[int, int, int] | None:
    found = parse(text.encode(), "f").find(path, key)
    return (found.line, found.column, found.width) if found else None


def test_places_of_values_and_keys() -> None:
    text = "a: 1\nb:\n  c: [x, yy]\n"
    assert spot(text, "b", "c", 1) == (3, 10, 2)
    assert spot(text, "b", "c", key=True) == (3, 3, 1)
    assert spot(text, "b", "d") is None


def test_columns_count_characters() -> None:
    assert spot("é: {ü: 'ß'}\n", "é", "ü") == (1, 8, 3)


def test_an_empty_value_stands_where_its_key_does() -> None:
    assert spot("a:\nb: 1\n", "a") == (1, 1, 1)


def test_places_behind_an_alias_and_a_merge_key() -> None:
    text = "a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  l: 2\n"
    assert spot(text, "b", "k") == (1, 11, 1)
    assert spot(text, "c", "k") == (1, 11, 1)
    assert parse(text.encode(), "f").data["c"] == {"k": 1, "l": 2}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.20", "1.20"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("22:10", "22:10"),
        ("2020-01-01", "2020-01-01"),
        ("12", "12"),
        ("-0", "-0"),
        ("1e3", "1e3"),
    ],
)
def test_text_keys_keep_what_was_written(text: str, value: str) -> None:
    config = look(f"cluster_name: c1\nmachines: {{m: {{role: infra, rack: {text}}}}}\n").config
    assert config is not None
    assert config.machines["m"].rack == value


@pytest.mark.parametrize(
    ("content", "message", "place"),
    [
        (b"cluster_name: \xff\xfe", "not UTF-8", (1, 15)),
        (b"\x7fELF\x02\x01\x01\x00", "not valid YAML", (1, 1)),
        (b"a: b\n\tc: d\n", "not valid YAML", (2, 1)),
        (b"a: [1, 2\n", "not valid YAML", (2, 1)),
        (b"a: 1\n---\nb: 2\n", "not valid YAML", (2, 1)),
        (b"a: *nothing\n", "not valid YAML", (1, 4)),
        (b"- a\n- b\n", "must be a mapping", (1, 1)),
        (b"just words\n", "must be a mapping", (1, 1)),
        (b"a: &x [*x]\n", "contains itself", (1, 4)),
        (b"a: !!int x\n", "not a value of type int", (1, 4)),
        (b"? [a]\n: b\n", "a key must be a word", (1, 3)),
        (b"a: {<<: 3}\n", "<< takes a mapping", (1, 9)),
        (b"a" * 5_000_000, "too much for a configuration", (1, 1)),
        (b"a: " + b"[" * 200 + b"]" * 200, "nested too deeply", (1, 52)),
        (b"a: " + b"[" * 100_000, "", (1, 1)),
    ],
)
def test_what_is_not_a_configuration(content: bytes, message: str, place: tuple[int, int]) -> None:
    found = look(content)
    first = found.errors[0]
    assert message in first.message
    assert found.config is None
    assert first.cure
    if message:
        assert (first.line, first.column) == place


def test_an_empty_file_lacks_only_the_name() -> None:
    assert [p.message for p in look("").errors] == ["cluster_name is missing"]


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "too many values" in look("\n".join(lines)).errors[0].message


def test_a_chain_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 3000))]
    assert "too deep" in look("\n".join(lines)).errors[0].message


def test_the_last_of_equal_keys_counts_and_the_first_is_named() -> None:
    found = look("cluster_name: one\nmachines: {m: {role: infra}}\ncluster_name: two\n")
    assert found.config is not None
    assert found.config.cluster_name == "two"
    (problem,) = found.problems
    assert (problem.level, problem.line, problem.column) == ("warning", 3, 1)
    assert "first on line 1" in problem.message
    assert "line 1" in problem.cure


ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("$(x)")
)
WORDS = [
    *("machines", "m1", "role", "private-ip", "network", "domain", "kubernetes", "version", "jwt"),
    *("ssh", "jump_host", "kubelabels", "mountpoints", "scale_up", "UserGroups", "k8s-gitbranch"),
    *("onpremise", "pod_ip_range", "etcd_node_num", "apt_mirror_url", "WebUIadminGroups", "smtp"),
    *("repair-manager", "custom_mounts", "registry_credential", "password"),
]
TREES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.binary(max_size=200))
@LIMITS
def test_bytes_never_break_it(content: bytes) -> None:
    for problem in look(content).problems:
        assert problem.render()


@given(st.dictionaries(st.sampled_from(WORDS), TREES))
@LIMITS
def test_values_of_any_shape_never_break_it(data: dict[str, Any]) -> None:
    import yaml

    found = look(yaml.safe_dump(data))
    assert found.config is not None or found.errors
    for problem in found.problems:
        assert problem.line >= 1 and problem.render()


@given(st.data())
@LIMITS
def test_a_real_file_with_damage_never_breaks_it(data: st.DataObject) -> None:
    from tests.support.configs import DATA

    content = bytearray((DATA / "atlas.yaml").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        cut = data.draw(st.integers(0, 6))
        content[at : at + cut] = data.draw(st.binary(max_size=4))
    found = look(bytes(content))
    assert found.config is not None or found.errors
    for problem in found.problems:
        assert problem.render()


def test_a_machine_that_another_of_its_name_would_hide_is_an_error() -> None:
    twice = "machines:\n  a: {role: infra}\n  a: {role: worker}\n"
    assert_problem(twice, "a stands here again (first on line 2)", line=3)
