"""The tables: from nothing, from the deployment tool's, from the predecessor's, all end alike."""

from __future__ import annotations

import json

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from dlws.database import schema
from dlws.database.users import SIGN_INS
from jobplatform.model import request
from jobplatform.store import migrations
from jobplatform.store.database import changing, engine
from jobplatform.store.tables import METADATA, jobs
from tests.support.platform.databases import NAME

OLD = """
CREATE TABLE acl (id INT AUTO_INCREMENT, identityName VARCHAR(255) NOT NULL, identityId INT NOT NULL,
  resource VARCHAR(255) NOT NULL, permissions INT NOT NULL, isDeny INT NOT NULL,
  time DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, PRIMARY KEY (id),
  CONSTRAINT identityName_resource UNIQUE(identityName, resource));
CREATE TABLE vc (id INT AUTO_INCREMENT, vcName VARCHAR(255) NOT NULL UNIQUE,
  parent VARCHAR(255) DEFAULT NULL, quota VARCHAR(255) NOT NULL, metadata TEXT NOT NULL,
  time DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, PRIMARY KEY (id),
  CONSTRAINT vc_parent FOREIGN KEY (parent) REFERENCES vc(vcName));
CREATE TABLE jobs (id INT AUTO_INCREMENT, jobId VARCHAR(50) NOT NULL, familyToken VARCHAR(50) NOT NULL,
  isParent INT NOT NULL, jobName VARCHAR(1024) NOT NULL, userName VARCHAR(255) NOT NULL,
  vcName VARCHAR(255) NOT NULL, jobStatus VARCHAR(255) NOT NULL DEFAULT 'unapproved',
  jobStatusDetail LONGTEXT, jobType VARCHAR(255) NOT NULL, jobDescriptionPath TEXT,
  jobDescription LONGTEXT, jobTime DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, endpoints LONGTEXT,
  errorMsg LONGTEXT, jobParams LONGTEXT NOT NULL, jobMeta LONGTEXT, jobLog LONGTEXT,
  retries INT DEFAULT 0, lastUpdated DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
  PRIMARY KEY (id), UNIQUE(jobId));
INSERT INTO vc (vcName, quota, metadata) VALUES ('platform', '{"V100": 8}', '{}');
INSERT INTO vc (vcName, parent, quota, metadata) VALUES ('small', 'platform', '{"V100": 2}', '{}');
INSERT INTO jobs (jobId, familyToken, isParent, jobName, userName, vcName, jobType, jobParams) VALUES
  ('old-1', 'f', 1, 'été', 'ann@example.com', 'platform', 'training',
   'eyJqb2JOYW1lIjoib2xkIiwidmNOYW1lIjoicGxhdGZvcm0iLCJpbWFnZSI6ImEvYjoxIiwiY21kIjoibHMifQ==');
"""  # noqa: E501


def differences(found: Engine) -> list[str]:
    """What the tables lack or have otherwise; keys aside, which a predecessor may lack."""
    with found.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        listed = [str(one) for one in compare_metadata(context, METADATA)]
    wanted = ("add_column", "add_table", "modify_type", "modify_nullable")
    roomier = "MEDIUMTEXT(), Text()"  # what MariaDB makes of a TEXT whose characters grow
    return [one for one in listed if any(word in one for word in wanted) and roomier not in one]


def run(found: Engine, sql: str) -> None:
    with changing(found) as connection:
        for statement in sql.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))


def test_from_nothing_in_memory() -> None:
    made = engine("sqlite://")
    migrations.upgrade(made)
    migrations.upgrade(made)
    assert differences(made) == []
    made.dispose()


def test_from_nothing(real: Engine) -> None:
    assert differences(real) == []
    migrations.upgrade(real)
    keys = {one["name"] for one in inspect(real).get_indexes("jobs")}
    assert {"jobId", "userName", "vcName_jobStatus", "jobStatus"} <= keys


def test_from_the_tables_that_the_deployment_tool_makes(empty: Engine) -> None:
    for name, table in schema.TABLES.items():
        run(empty, schema.create(NAME, name, table).replace(":", "\\:"))
    migrations.upgrade(empty)
    assert differences(empty) == []


def test_from_the_predecessors_older_tables_with_what_is_in_them(empty: Engine) -> None:
    run(empty, OLD)
    migrations.upgrade(empty)
    assert differences(empty) == []
    with changing(empty) as connection:
        row = connection.execute(jobs.select()).one()
        connection.execute(text("UPDATE vc SET quota = :q"), {"q": json.dumps({"🔑" * 200: 1})})
    assert (row.jobId, row.jobName, row.version, row.priority) == ("old-1", "été", 0, 100)
    assert request.read(row.jobParams).command == "ls"


@pytest.mark.parametrize("values", ["(NULL, '{}', '{}')", "('a', '{}', '{}') oops"])
def test_a_mistake_in_a_statement_is_not_taken_for_an_outage(database: Engine, values: str) -> None:
    with pytest.raises(DBAPIError):
        run(database, f"INSERT INTO vc (vcName, quota, metadata) VALUES {values}")


@pytest.mark.parametrize("name", SIGN_INS)
def test_what_lets_people_in_is_where_the_deployment_tool_ends_it(name: str) -> None:
    assert "userName" in METADATA.tables[name].columns
