"""Where the database is, by config.yaml."""

from __future__ import annotations

import pytest

from dlws.core.errors import UsageError
from dlws.database.place import place
from tests.support.fakes import CONFIG, Make

SERVER = "  db1: {role: mysqlserver, private-ip: 10.1.0.9}\n"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", "infra01, 10.1.0.1 port 3306"),
        (SERVER, "db1, 10.1.0.9 port 3306"),
        ("mysql_node: worker01\nmysql_port: 3307\n", "worker01, 10.1.0.11 port 3307"),
        ("kubelabels: {mysql: 'node:worker02'}\n", "worker02, 10.1.0.12 port 3306"),
        (f"{SERVER}mysql_host: db.example.com\n", "db.example.com port 3306"),
    ],
)
def test_it_is_where_the_configuration_says(make: Make, more: str, expected: str) -> None:
    assert str(place(make(CONFIG + more).cluster)) == expected


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("mysql_node: nobody\n", "no machine has that name"),
        ("kubelabels: {mysql: nfs_node}\n", "no machine has a database"),
        ("datasource: AzureSQL\n", "datasource is AzureSQL"),
    ],
)
def test_a_configuration_that_does_not_say_is_refused(make: Make, more: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        place(make(CONFIG + more).cluster)
