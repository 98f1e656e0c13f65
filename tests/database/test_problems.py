"""What the server says, with a cure."""

from __future__ import annotations

import pytest

from dlws.core.errors import DeployError
from dlws.database import problems
from dlws.database.place import Place

WHERE = Place("db.example.com", 3306)


@pytest.mark.parametrize(
    ("code", "kind", "cure"),
    [
        (1045, problems.Denied, "mysql_password"),
        (1130, problems.Denied, "db init"),
        (1049, problems.NotInitialised, "db init"),
        (1146, problems.NotInitialised, "db init"),
        (2013, DeployError, "run this again"),
        (1114, DeployError, "make room"),
        (1142, DeployError, "grant root"),
        (1040, DeployError, "max_connections"),
        (1290, DeployError, "read-only"),
        (1366, DeployError, "character set"),
        (9999, DeployError, "log"),
    ],
)
def test_each_error_names_its_cure(code: int, kind: type, cure: str) -> None:
    error = problems.explained(code, "words", WHERE, "root")
    assert type(error) is kind
    assert "db.example.com port 3306" in error.message and "words" in error.message
    assert cure in error.cure
