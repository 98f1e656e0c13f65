"""Statements are split where they end, and changes are told from questions."""

from __future__ import annotations

import pytest

from dlws.database.prompt import reads, split, statements, table


@pytest.mark.parametrize(
    ("text", "found", "rest"),
    [
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"], ""),
        ("SELECT ';'; x", ["SELECT ';'"], " x"),
        ("SELECT 'a\\';b", [], "SELECT 'a\\';b"),
        ("SELECT ';", [], "SELECT ';"),
        ('SELECT `a;b`, "c;" -- d;\n;', ['SELECT `a;b`, "c;" -- d;'], ""),
        ("# a;\nx /* ; */;;", ["# a;\nx /* ; */"], ""),
    ],
)
def test_a_semicolon_counts_outside_of_quotes_and_comments(
    text: str, found: list[str], rest: str
) -> None:
    assert split(text) == (found, rest)


def test_lines_are_joined_until_a_statement_ends() -> None:
    assert list(statements(["SELECT 'a\n", "b;';\n", "SELECT 2\n"])) == [
        "SELECT 'a\nb;'",
        "SELECT 2",
    ]


def test_questions_are_told_by_their_first_word() -> None:
    assert [reads(one) for one in (" select 1", "SHOW TABLES", "DELETE FROM x", "with a as")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not reads("SELECT 1 INTO OUTFILE '/tmp/x'")  # also in a dry run
    assert not reads("select 1/**/into/**/dumpfile '/tmp/x'")


def test_a_cell_cannot_touch_the_terminal() -> None:
    rows: list[dict[str, object]] = [{"a": "x\x1b[2Jy", "b": None}, {"a": b"\x00", "b": 12}]
    assert table(rows).splitlines() == ["a        b", "x^[[2Jy  -", "0x00     12"]
