"""Signing in elsewhere, keys of people, and when a token was last used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _name(name: str, length: int = 255, **options: bool) -> sa.Column:
    return sa.Column(name, sa.String(length), nullable=False, **options)


def _number(name: str, kind: object = sa.Integer) -> sa.Column:
    return sa.Column(name, kind, nullable=False)


def _id() -> sa.Column:
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)


def _time() -> sa.Column:
    now = sa.text("CURRENT_TIMESTAMP")
    return sa.Column("time", sa.DateTime, nullable=False, server_default=now)


def upgrade() -> None:
    with op.batch_alter_table("tokens") as batch:
        batch.add_column(sa.Column("used", sa.BigInteger))
    # The deployment tool makes this one, too.
    if "identity_removed" not in sa.inspect(op.get_bind()).get_table_names():
        op.create_table(
            "identity_removed", _id(), _name("identityName"), _number("uid"), _number("gid"),
            _time(), sa.UniqueConstraint("identityName", name="identityName"), **OPTIONS,
        )  # fmt: skip
    op.create_table(
        "signins", _name("state", 64, primary_key=True), _name("browser", 64), _name("way", 31),
        _name("nonce"), _name("verifier"), _name("userName"), _number("expires", sa.BigInteger),
        sa.Index("signins_expires", "expires"), **OPTIONS,
    )  # fmt: skip
    op.create_table(
        "externals", _id(), _name("issuer"), _name("subject"), _name("userName"), _time(),
        sa.UniqueConstraint("issuer", "subject", name="externals_subject"),
        sa.Index("externals_userName", "userName"), **OPTIONS,
    )  # fmt: skip
    op.create_table(
        "public_keys", _id(), _name("userName"), _name("title"), _name("fingerprint", 64),
        sa.Column("publicKey", sa.Text, nullable=False), _time(),
        sa.UniqueConstraint("fingerprint", name="public_keys_fingerprint"),
        sa.Index("public_keys_userName", "userName"), **OPTIONS,
    )  # fmt: skip
