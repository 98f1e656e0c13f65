"""The way from the predecessor's tables, or from none, to ours: Alembic, called from here."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine

from jobplatform.store.database import changing


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision. It may be run again, and by two processes at once."""
    with changing(engine) as connection, _alone(connection):
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


class _alone:
    """A lock of the database's: one process migrates, the others wait and find it done."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.real = connection.dialect.name != "sqlite"

    def __enter__(self) -> None:
        if self.real:
            got = self.connection.exec_driver_sql("SELECT GET_LOCK('dlws-migrate', 60)").scalar()
            if got != 1:
                raise RuntimeError("another process has been migrating for more than 60 s")

    def __exit__(self, *error: object) -> None:
        if self.real and not self.connection.invalidated:
            self.connection.exec_driver_sql("SELECT RELEASE_LOCK('dlws-migrate')")
