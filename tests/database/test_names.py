"""Names that users and virtual clusters may have, and how SQL has them."""

from __future__ import annotations

import pytest

from dlws.core.errors import UsageError
from dlws.database.names import checked, database_name, quoted


@pytest.mark.parametrize("name", ["ann", 'o\'b "x" #;$[?%\\ üñ 😀', "a" * 200, "-n", "ev:il"])
def test_these_can_be(name: str) -> None:
    assert checked("user", name) == name


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "a/b", ".", "..", "a\nb", "a\0", "\x1b[2J", "\ud800", "a" * 201]
)
def test_these_cannot(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a user"):
        checked("user", name)


def test_a_backtick_ends_no_name() -> None:
    assert quoted("a`; DROP") == "`a``; DROP`"


def test_a_database_is_named_after_the_cluster_id() -> None:
    assert database_name("ab-1_2") == "DLWSCluster-ab-1_2"
    with pytest.raises(UsageError, match="not an id"):
        database_name("a`b")
