"""What a backup may hold, and where its tables are made."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from dlws.core.errors import UsageError
from dlws.database import backup, restore
from dlws.database.names import PREFIX, database_name

NO_VAULT: Any = None


def holding(path: Path, *statements: str) -> Path:
    lines = [backup.HEAD, *(line for one in statements for line in (backup.NEXT, f"{one};"))]
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in [*lines, backup.END]).encode()))
    return path


@pytest.mark.parametrize(
    "statement",
    [
        "SET GLOBAL general_log_file = '/etc/x'",
        "SET PASSWORD = 'x'",
        "DROP TABLE x",
        "INSERT INTO `mysql`.`global_priv` (`User`) VALUES ('x')",
        "INSERT INTO mysql.global_priv VALUES ('x')",
        "CREATE TABLE `x` AS SELECT * FROM mysql.user",
    ],
)
def test_a_backup_holds_nothing_about_other_databases(tmp_path: Path, statement: str) -> None:
    path = holding(tmp_path / "b.sql.gz", statement)
    with pytest.raises(UsageError, match="holds another statement"):
        list(restore.statements(path, NO_VAULT))


def test_what_backups_hold_is_run(tmp_path: Path) -> None:
    good = [
        *backup.SETTINGS,
        "CREATE TABLE `a ``b` (\n  `x` int\n)",
        "INSERT INTO `a` (`x`) VALUES (1)",
    ]
    assert list(restore.statements(holding(tmp_path / "b.sql.gz", *good), NO_VAULT)) == good


def test_the_databases_of_a_restore_are_those_of_no_cluster() -> None:
    for name in restore.spare_names(database_name("c1")):
        with pytest.raises(UsageError):
            database_name(name.removeprefix(PREFIX))
