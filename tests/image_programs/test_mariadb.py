"""What a new MariaDB of templates/images/mariadb is told, before it lets anybody in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pymysql.converters
import pytest

from dlws.core import resources

ENTRYPOINT = resources.templates() / "images/mariadb/entrypoint.sh"
AWKWARD = 'it\'s \\ "x" #1; $HOME `id` \\n [a]? 100% ü'
PROGRAMS = {
    "id": "echo 999",
    "mariadb-install-db": 'mkdir "$MARIADB_DATA/mysql"',
    # It shows what it was started with, and the file that it reads first.
    "mariadbd": 'echo "$@"\n'
    'for word; do case $word in --init-file=*) cat "${word#*=}" ;; esac; done\n'
    'touch "$MARIADB_DATA/open"',
    "mariadb": '[ ! -e "$MARIADB_DATA/open" ] || echo "ERROR 1045: Access denied" >&2; exit 1',
}


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """A directory with stand-ins for the programs of the image."""
    (tmp_path / "data").mkdir()
    for name, line in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def start(place: Path, *words: str, **environment: str) -> list[str]:
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    given = {"PATH": path, "MARIADB_DATA": str(place / "data"), **environment}
    done = subprocess.run([ENTRYPOINT, *words], env=given, stdout=subprocess.PIPE, check=True,
                          timeout=60)  # fmt: skip
    assert not (place / "data/.first.sql").exists()
    return done.stdout.decode().splitlines()


def test_a_new_database_gets_its_accounts_with_any_password(started: Path) -> None:
    (started / "password").write_text(AWKWARD)
    lines = start(started, "--port=1", MYSQL_ROOT_PASSWORD_FILE=str(started / "password"),
                  MARIADB_DATABASE="a`b", MARIADB_USER="o'x", MARIADB_PASSWORD="p")  # fmt: skip
    secret = "'" + AWKWARD.replace("\\", "\\\\").replace("'", "\\'") + "'"
    assert pymysql.converters.escape_string(AWKWARD).replace('\\"', '"') == secret[1:-1]
    assert lines[1].startswith("--port=1 --init-file=")
    assert "User = 'root' AND Host <> 'localhost'" in lines[2]
    assert lines[5:-1] == [
        f"ALTER USER root@localhost IDENTIFIED BY {secret};",
        f"CREATE USER IF NOT EXISTS root@'%' IDENTIFIED BY {secret};",
        "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;",
        "CREATE DATABASE IF NOT EXISTS `a``b`;",
        "CREATE USER IF NOT EXISTS 'o\\'x'@'%' IDENTIFIED BY 'p';",
        "GRANT ALL ON `a``b`.* TO 'o\\'x'@'%';",
    ]


def test_root_may_be_let_in_from_here_alone(started: Path) -> None:
    lines = start(started, "mariadbd", MARIADB_ROOT_PASSWORD="x", MYSQL_ROOT_HOST="localhost")
    assert lines[5:-1] == ["ALTER USER root@localhost IDENTIFIED BY 'x';"]


def test_a_database_that_is_there_is_left_alone(started: Path) -> None:
    (started / "data/mysql").mkdir()
    assert start(started, "mariadbd", "-x", MARIADB_ROOT_PASSWORD="y") == ["-x"]


def test_another_program_is_run_as_it_is(started: Path) -> None:
    assert start(started, "echo", "a b") == ["a b"]
