"""Our tables and columns. vc.quota no longer overflows with many kinds of devices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
LONG = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _name(name: str) -> sa.Column:
    return sa.Column(name, sa.String(255), nullable=False)


def _big(name: str, default: str | None = None) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=default)


def _time() -> sa.Column:
    now = sa.text("CURRENT_TIMESTAMP")
    return sa.Column("time", sa.DateTime, nullable=False, server_default=now)


def _id(kind: object = sa.Integer) -> sa.Column:
    return sa.Column("id", kind, primary_key=True, autoincrement=True)


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        _hold_every_character()
    with op.batch_alter_table("vc") as batch:
        batch.alter_column("quota", existing_type=sa.String(255), type_=sa.Text, nullable=False)
    with op.batch_alter_table("jobs") as batch:
        for name in ("version", "attempt", "approved"):
            batch.add_column(sa.Column(name, sa.Integer, nullable=False, server_default="0"))
        batch.add_column(sa.Column("reason", sa.Text))
        batch.add_column(sa.Column("placement", LONG))
        for name in ("queuedAt", "startedAt", "endedAt"):
            batch.add_column(sa.Column(name, sa.BigInteger))
    op.create_index("jobStatus", "jobs", ["jobStatus"])
    _make_tables()


def _hold_every_character() -> None:
    """The predecessor's utf8 has no emoji, and took é for e. The key of vc's parents holds the
    old characters, so it is taken away meanwhile."""
    for key in sa.inspect(op.get_bind()).get_foreign_keys("vc"):
        op.drop_constraint(str(key["name"]), "vc", type_="foreignkey")
    for name in ("acl", "identity", "vc", "storage", "jobs", "clusterstatus", "templates"):
        op.execute(f"ALTER TABLE `{name}` CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    op.create_foreign_key("vc_parent", "vc", "vc", ["parent"], ["vcName"])


def _make_tables() -> None:
    op.create_table(
        "login", _id(), _name("userName"), _name("password"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        _big("lockedUntil", "0"), _time(), sa.UniqueConstraint("userName", name="login_userName"),
        **OPTIONS,
    )  # fmt: skip
    op.create_table(
        "tokens", _id(), sa.Column("hash", sa.String(64), nullable=False), _name("userName"),
        _name("label"), _big("expires"), _time(), sa.UniqueConstraint("hash", name="tokens_hash"),
        sa.Index("tokens_userName", "userName"), **OPTIONS,
    )  # fmt: skip
    op.create_table(
        "job_events", _id(BIG), sa.Column("jobId", sa.String(50), nullable=False), _big("at"),
        _name("actor"), _name("status"), sa.Column("reason", sa.Text),
        sa.Index("job_events_jobId", "jobId"), **OPTIONS,
    )  # fmt: skip
    op.create_table(
        "leases", sa.Column("name", sa.String(50), primary_key=True), _name("holder"),
        _big("expires"), **OPTIONS,
    )  # fmt: skip
    op.create_table(
        "audit", _id(BIG), _big("at"), _name("actor"), _name("action"), _name("subject"), **OPTIONS
    )
    alias = sa.Column("alias", sa.String(64), primary_key=True)
    op.create_table("aliases", alias, _name("userName"), **OPTIONS)
