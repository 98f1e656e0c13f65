"""The predecessor's tables: made where they are missing, completed where they are older.

What is here is frozen: later revisions must not change with tables.py.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT, MEDIUMTEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
LONG = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
MEDIUM = sa.Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")


def _name(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.String(255), nullable=False, **options)


def _number(name: str, default: str | None = None) -> sa.Column:
    return sa.Column(name, sa.Integer, nullable=False, server_default=default)


def _id() -> sa.Column:
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)


def _time(name: str = "time") -> sa.Column:
    now = sa.text("CURRENT_TIMESTAMP")
    return sa.Column(name, sa.DateTime, nullable=False, server_default=now)


def _text(name: str, kind: object = sa.Text, nullable: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=nullable)


def tables() -> dict[str, list[object]]:
    """Columns and keys by table, parents before children."""
    return {
        "acl": [_id(), _name("identityName"), _number("identityId"), _name("resource"),
                _number("permissions"), _number("isDeny", "0"), _time(),
                sa.UniqueConstraint("identityName", "resource", name="identityName_resource")],
        "identity": [_id(), _name("identityName"), _number("uid"), _number("gid"),
                     _text("groups", MEDIUM), _text("public_key"), _text("private_key"), _time(),
                     sa.UniqueConstraint("identityName", name="identityName")],
        "vc": [_id(), _name("vcName"),
               sa.Column("parent", sa.String(255), sa.ForeignKey("vc.vcName", name="vc_parent")),
               _name("quota"), _text("metadata"), _text("resourceQuota", nullable=True),
               _text("resourceMetadata", nullable=True), _time(),
               sa.UniqueConstraint("vcName", name="vcName")],
        "storage": [_id(), _name("storageType"), _name("url"), _text("metadata"), _name("vcName"),
                    _name("defaultMountPath"), _time(),
                    sa.UniqueConstraint("vcName", "url", name="vcName_url"),
                    sa.UniqueConstraint("vcName", "defaultMountPath", name="vcName_path")],
        "jobs": jobs(),
        "clusterstatus": [_id(), _text("status", LONG), _time()],
        "templates": [_id(), _name("name"), _name("scope"), _text("json"), _time(),
                      sa.UniqueConstraint("name", "scope", name="name_scope")],
    }  # fmt: skip


def jobs() -> list[object]:
    short = {"jobId": 50, "familyToken": 50, "jobName": 1024}
    named = [sa.Column(name, sa.String(size), nullable=False) for name, size in short.items()]
    long = ("jobStatusDetail", "jobDescription", "endpoints", "errorMsg", "jobMeta", "jobLog",
            "jobLogCursor", "insight")  # fmt: skip
    return [
        _id(), *named, _number("isParent"), _name("userName"), _name("vcName"),
        _name("jobStatus", server_default="unapproved"), _name("jobType"),
        _text("jobDescriptionPath", nullable=True), _time("jobTime"), _text("jobParams", LONG),
        *(_text(name, LONG, nullable=True) for name in long),
        sa.Column("retries", sa.Integer, server_default="0"), _time("lastUpdated"),
        _number("priority", "100"), sa.UniqueConstraint("jobId", name="jobId"),
        sa.Index("userName", "userName"), sa.Index("vcName_jobStatus", "vcName", "jobStatus"),
    ]  # fmt: skip


def upgrade() -> None:
    found = sa.inspect(op.get_bind())
    known = set(found.get_table_names())
    for name, parts in tables().items():
        if name not in known:
            op.create_table(name, *parts, **OPTIONS)
            continue
        have = {column["name"].lower() for column in found.get_columns(name)}
        for part in parts:
            if isinstance(part, sa.Column) and part.name.lower() not in have:
                op.add_column(name, part)
