"""The tables: those that clusters of this kind have always had, and ours beside them.

Names are told apart by every bit (utf8mb4_bin), as `deploy.py` makes these tables, too.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.mysql import LONGTEXT, MEDIUMTEXT

METADATA = MetaData()
OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4",
                           "mysql_collate": "utf8mb4_bin"}  # fmt: skip
LONG = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
MEDIUM = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
NAME = String(255)
BIG = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column of the type INTEGER."""


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _time() -> Column[Any]:
    return Column("time", DateTime, nullable=False, server_default=text("CURRENT_TIMESTAMP"))


def _name(name: str, **options: Any) -> Column[str]:
    return Column(name, NAME, nullable=False, **options)


def _number(name: str, default: int | None = None) -> Column[int]:
    stored = None if default is None else text(str(default))
    return Column(name, Integer, nullable=False, server_default=stored)


acl = Table(
    "acl", METADATA, _id(), _name("identityName"), _number("identityId"), _name("resource"),
    _number("permissions"), _number("isDeny", 0), _time(),
    UniqueConstraint("identityName", "resource", name="identityName_resource"), **OPTIONS,
)  # fmt: skip
identity = Table(
    "identity", METADATA, _id(), _name("identityName"), _number("uid"), _number("gid"),
    Column("groups", MEDIUM, nullable=False), Column("public_key", Text, nullable=False),
    Column("private_key", Text, nullable=False), _time(),
    UniqueConstraint("identityName", name="identityName"), **OPTIONS,
)  # fmt: skip
vc = Table(
    "vc", METADATA, _id(), _name("vcName"),
    Column("parent", NAME, ForeignKey("vc.vcName", name="vc_parent")),
    Column("quota", Text, nullable=False), Column("metadata", Text, nullable=False),
    Column("resourceQuota", Text), Column("resourceMetadata", Text), _time(),
    UniqueConstraint("vcName", name="vcName"), **OPTIONS,
)  # fmt: skip
storage = Table(
    "storage", METADATA, _id(), _name("storageType"), _name("url"),
    Column("metadata", Text, nullable=False), _name("vcName"), _name("defaultMountPath"), _time(),
    UniqueConstraint("vcName", "url", name="vcName_url"),
    UniqueConstraint("vcName", "defaultMountPath", name="vcName_path"), **OPTIONS,
)  # fmt: skip
jobs = Table(
    "jobs", METADATA, _id(),
    Column("jobId", String(50), nullable=False), Column("familyToken", String(50), nullable=False),
    _number("isParent"), Column("jobName", String(1024), nullable=False), _name("userName"),
    _name("vcName"), _name("jobStatus", server_default="unapproved"),
    Column("jobStatusDetail", LONG), _name("jobType"), Column("jobDescriptionPath", Text),
    Column("jobDescription", LONG),
    Column("jobTime", DateTime, nullable=False, server_default=text("CURRENT_TIMESTAMP")),
    Column("endpoints", LONG), Column("errorMsg", LONG), Column("jobParams", LONG, nullable=False),
    Column("jobMeta", LONG), Column("jobLog", LONG), Column("jobLogCursor", LONG),
    Column("retries", Integer, server_default=text("0")),
    Column("lastUpdated", DateTime, nullable=False, server_default=text("CURRENT_TIMESTAMP")),
    _number("priority", 100), Column("insight", LONG),
    # Ours. Each change of a row adds 1 to `version`, and names the one that it saw.
    _number("version", 0), _number("attempt", 0), _number("approved", 0),
    Column("reason", Text), Column("placement", LONG),
    Column("queuedAt", BigInteger), Column("startedAt", BigInteger), Column("endedAt", BigInteger),
    UniqueConstraint("jobId", name="jobId"), Index("userName", "userName"),
    Index("vcName_jobStatus", "vcName", "jobStatus"), Index("jobStatus", "jobStatus"), **OPTIONS,
)  # fmt: skip
clusterstatus = Table(
    "clusterstatus", METADATA, _id(), Column("status", LONG, nullable=False), _time(), **OPTIONS
)
templates = Table(
    "templates", METADATA, _id(), _name("name"), _name("scope"),
    Column("json", Text, nullable=False), _time(),
    UniqueConstraint("name", "scope", name="name_scope"), **OPTIONS,
)  # fmt: skip

LEGACY = (acl, identity, vc, storage, jobs, clusterstatus, templates)
JOBS_OF_OURS = ("version", "attempt", "approved", "reason", "placement", "queuedAt", "startedAt",
                "endedAt")  # fmt: skip

login = Table(
    "login", METADATA, _id(), _name("userName"), Column("password", String(255), nullable=False),
    _number("failures", 0), Column("lockedUntil", BigInteger, nullable=False, server_default="0"),
    _time(), UniqueConstraint("userName", name="login_userName"), **OPTIONS,
)  # fmt: skip
tokens = Table(
    "tokens", METADATA, _id(), Column("hash", String(64), nullable=False), _name("userName"),
    _name("label"), Column("expires", BigInteger, nullable=False), _time(),
    Column("used", BigInteger),
    UniqueConstraint("hash", name="tokens_hash"), Index("tokens_userName", "userName"), **OPTIONS,
)  # fmt: skip
job_events = Table(
    "job_events", METADATA, Column("id", BIG, primary_key=True, autoincrement=True),
    Column("jobId", String(50), nullable=False), Column("at", BigInteger, nullable=False),
    _name("actor"), _name("status"), Column("reason", Text),
    Index("job_events_jobId", "jobId"), **OPTIONS,
)  # fmt: skip
leases = Table(
    "leases", METADATA, Column("name", String(50), primary_key=True), _name("holder"),
    Column("expires", BigInteger, nullable=False), **OPTIONS,
)  # fmt: skip
audit = Table(
    "audit", METADATA, Column("id", BIG, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False), _name("actor"), _name("action"), _name("subject"),
    **OPTIONS,
)  # fmt: skip
aliases = Table(
    # The name of a person's home and of the user in a job: nobody else gets it again.
    "aliases",
    METADATA,
    Column("alias", String(64), primary_key=True),
    _name("userName"),
    **OPTIONS,
)

identity_removed = Table(
    # Numbers of people who were: nobody else gets them. The deployment tool writes it.
    "identity_removed", METADATA, _id(), _name("identityName"), _number("uid"), _number("gid"),
    _time(), UniqueConstraint("identityName", name="identityName"), **OPTIONS,
)  # fmt: skip
signins = Table(
    "signins", METADATA, Column("state", String(64), primary_key=True),
    Column("browser", String(64), nullable=False), Column("way", String(31), nullable=False),
    _name("nonce"), _name("verifier"), _name("userName"),
    Column("expires", BigInteger, nullable=False), Index("signins_expires", "expires"), **OPTIONS,
)  # fmt: skip
externals = Table(
    "externals", METADATA, _id(), _name("issuer"), _name("subject"), _name("userName"), _time(),
    UniqueConstraint("issuer", "subject", name="externals_subject"),
    Index("externals_userName", "userName"), **OPTIONS,
)  # fmt: skip
public_keys = Table(
    "public_keys", METADATA, _id(), _name("userName"), _name("title"),
    Column("fingerprint", String(64), nullable=False), Column("publicKey", Text, nullable=False),
    _time(), UniqueConstraint("fingerprint", name="public_keys_fingerprint"),
    Index("public_keys_userName", "userName"), **OPTIONS,
)  # fmt: skip

grants = Table(
    # Programs that wait for a person to let them in. `code` is the person's.
    "grants", METADATA, Column("device", String(64), primary_key=True),
    Column("code", String(64), nullable=False), Column("machine", String(128), nullable=False),
    Column("state", String(16), nullable=False), _name("userName"),
    Column("expires", BigInteger, nullable=False), Column("asked", BigInteger, nullable=False),
    _number("pace"), UniqueConstraint("code", name="grants_code"),
    Index("grants_expires", "expires"), Index("grants_userName", "userName"), **OPTIONS,
)  # fmt: skip
grant_guesses = Table(
    "grant_guesses", METADATA, Column("userName", NAME, primary_key=True), _number("wrong"),
    Column("since", BigInteger, nullable=False), **OPTIONS,
)  # fmt: skip

OURS = (aliases, login, tokens, job_events, leases, audit, identity_removed, signins, externals,
        public_keys, grants, grant_guesses)  # fmt: skip
