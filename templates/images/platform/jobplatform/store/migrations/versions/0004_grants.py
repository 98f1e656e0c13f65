"""Programs that wait for a person to let them in, and wrong codes that a person typed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _text(name: str, length: int = 255, **options: bool) -> sa.Column:
    return sa.Column(name, sa.String(length), nullable=False, **options)


def _number(name: str, kind: object = sa.Integer) -> sa.Column:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "grants", _text("device", 64, primary_key=True), _text("code", 64), _text("machine", 128),
        _text("state", 16), _text("userName"), _number("expires", sa.BigInteger),
        _number("asked", sa.BigInteger), _number("pace"),
        sa.UniqueConstraint("code", name="grants_code"),
        sa.Index("grants_expires", "expires"), sa.Index("grants_userName", "userName"), **OPTIONS,
    )  # fmt: skip
    op.create_table(
        "grant_guesses", _text("userName", primary_key=True), _number("wrong"),
        _number("since", sa.BigInteger), **OPTIONS,
    )  # fmt: skip
