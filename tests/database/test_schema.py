"""Tables and columns that are missing are made, and no others."""

from __future__ import annotations

from dlws.database.schema import TABLES, changes

WHOLE = {name: {column.lower() for column in table.columns} for name, table in TABLES.items()}


def test_nothing_is_made_where_all_is_there() -> None:
    assert changes("x", WHOLE | {"more": {"a"}}) == []


def test_tables_that_refer_to_others_need_none_before_them() -> None:
    made = [change.words for change in changes("x", {})]
    assert made == [f"make the table {name}" for name in TABLES]


def test_an_older_table_gets_the_columns_that_it_lacks() -> None:
    older = WHOLE | {"vc": WHOLE["vc"] - {"resourcequota"}}
    (change,) = changes("a`b", older)
    assert change.sql == "ALTER TABLE `a``b`.`vc` ADD COLUMN `resourceQuota` TEXT NULL"
