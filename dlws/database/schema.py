"""The tables: those that clusters of this kind have always had, and one of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlws.database.client import Change
from dlws.database.names import quoted

# Names are told apart by every bit: under other collations all emoji are one, and é is e.
CHARACTERS = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
_NAME = "VARCHAR(255) NOT NULL"
_OPTIONAL = "VARCHAR(255) NULL"
_TEXT = "LONGTEXT NULL"
_TIME = "DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP"
_ID = "INT NOT NULL AUTO_INCREMENT"


@dataclass(frozen=True)
class Table:
    """Columns by name, and keys."""

    columns: Mapping[str, str]
    keys: tuple[str, ...] = ()


TABLES: Mapping[str, Table] = {
    "acl": Table(
        {
            "id": _ID,
            "identityName": _NAME,
            "identityId": "INT NOT NULL",
            "resource": _NAME,
            "permissions": "INT NOT NULL",
            "isDeny": "INT NOT NULL DEFAULT 0",
            "time": _TIME,
        },
        ("UNIQUE KEY `identityName_resource` (`identityName`, `resource`)",),
    ),
    "identity": Table(
        {
            "id": _ID,
            "identityName": _NAME,
            "uid": "INT NOT NULL",
            "gid": "INT NOT NULL",
            "groups": "MEDIUMTEXT NOT NULL",
            "public_key": "TEXT NOT NULL",
            "private_key": "TEXT NOT NULL",
            "time": _TIME,
        },
        ("UNIQUE KEY `identityName` (`identityName`)",),
    ),
    "vc": Table(
        {
            "id": _ID,
            "vcName": _NAME,
            "parent": _OPTIONAL,
            "quota": _NAME,
            "metadata": "TEXT NOT NULL",
            "resourceQuota": "TEXT NULL",
            "resourceMetadata": "TEXT NULL",
            "time": _TIME,
        },
        (
            "UNIQUE KEY `vcName` (`vcName`)",
            "CONSTRAINT `vc_parent` FOREIGN KEY (`parent`) REFERENCES `vc` (`vcName`)",
        ),
    ),
    "storage": Table(
        {
            "id": _ID,
            "storageType": _NAME,
            "url": _NAME,
            "metadata": "TEXT NOT NULL",
            "vcName": _NAME,
            "defaultMountPath": _NAME,
            "time": _TIME,
        },
        (
            "UNIQUE KEY `vcName_url` (`vcName`, `url`)",
            "UNIQUE KEY `vcName_path` (`vcName`, `defaultMountPath`)",
        ),
    ),
    "jobs": Table(
        {
            "id": _ID,
            "jobId": "VARCHAR(50) NOT NULL",
            "familyToken": "VARCHAR(50) NOT NULL",
            "isParent": "INT NOT NULL",
            "jobName": "VARCHAR(1024) NOT NULL",
            "userName": _NAME,
            "vcName": _NAME,
            "jobStatus": "VARCHAR(255) NOT NULL DEFAULT 'unapproved'",
            "jobStatusDetail": _TEXT,
            "jobType": _NAME,
            "jobDescriptionPath": "TEXT NULL",
            "jobDescription": _TEXT,
            "jobTime": _TIME,
            "endpoints": _TEXT,
            "errorMsg": _TEXT,
            "jobParams": "LONGTEXT NOT NULL",
            "jobMeta": _TEXT,
            "jobLog": _TEXT,
            "jobLogCursor": _TEXT,
            "retries": "INT NULL DEFAULT 0",
            "lastUpdated": f"{_TIME} ON UPDATE CURRENT_TIMESTAMP",
            "priority": "INT NOT NULL DEFAULT 100",
            "insight": _TEXT,
        },
        (
            "UNIQUE KEY `jobId` (`jobId`)",
            "KEY `userName` (`userName`)",
            "KEY `vcName_jobStatus` (`vcName`, `jobStatus`)",
        ),
    ),
    "clusterstatus": Table({"id": _ID, "status": "LONGTEXT NOT NULL", "time": _TIME}),
    "templates": Table(
        {"id": _ID, "name": _NAME, "scope": _NAME, "json": "TEXT NOT NULL", "time": _TIME},
        ("UNIQUE KEY `name_scope` (`name`, `scope`)",),
    ),
    # Ours: a user who was removed has files still, and nobody else may get his ids.
    "identity_removed": Table(
        {"id": _ID, "identityName": _NAME, "uid": "INT NOT NULL", "gid": "INT NOT NULL",
         "time": _TIME},
        ("UNIQUE KEY `identityName` (`identityName`)",),
    ),
}  # fmt: skip


def create_database(name: str) -> Change:
    return Change(f"make the database {name}", f"CREATE DATABASE {quoted(name)} {CHARACTERS}")


def changes(database: str, found: Mapping[str, set[str]]) -> list[Change]:
    """What is to be done where the database has these tables with these columns."""
    made = [
        Change(f"make the table {name}", create(database, name, table))
        for name, table in TABLES.items()
        if name not in found
    ]
    return made + [
        Change(
            f"add the column {name}.{column}",
            f"ALTER TABLE {_at(database, name)} ADD COLUMN {quoted(column)} {kind}",
        )
        for name, table in TABLES.items()
        for column, kind in table.columns.items()
        if name in found and column.lower() not in found[name]
    ]


def create(database: str, name: str, table: Table) -> str:
    """The statement that makes a table."""
    columns = [f"{quoted(column)} {kind}" for column, kind in table.columns.items()]
    lines = ",\n  ".join([*columns, "PRIMARY KEY (`id`)", *table.keys])
    return f"CREATE TABLE {_at(database, name)} (\n  {lines}\n) ENGINE=InnoDB {CHARACTERS}"


def _at(database: str, table: str) -> str:
    return f"{quoted(database)}.{quoted(table)}"
