"""The database from nothing to users who may submit jobs, on a real server, behind a real sshd."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from dlws.cli.root import cli
from dlws.database.users import SIGN_INS
from tests.support import canaries
from tests.support.deploy import Deploy
from tests.support.mariadb import PASSWORD, MariaDb
from tests.support.sshd import free_port
from tests.support.statuses import told_statuses
from tests.support.watch import watch

NAMES = (
    'o\'brien "x"@example.org',
    "a #1; $(id) `w` [b]? 50%s \\n@example.org",
    "üñï 用户 😀@example.org",
    "ÜÑÏ 用户 🔑@example.org",
)
"""Users, and virtual clusters: the last two differ where many collations see no difference."""


class Site:
    """Runs command lines in this process, in a cluster's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *words: str, code: int = 0, stdin: str = "") -> Result:
        done = CliRunner().invoke(cli, ["--dir", str(self.directory), *words], input=stdin)
        told = f"{done.stdout}\n{done.stderr}"
        assert done.exit_code == code, f"exit {done.exit_code}: {told} {done.exception!r}"
        assert "defect of dlws" not in told, told
        return done


@pytest.fixture
def site(deploy: Deploy, mariadb: MariaDb) -> Site:
    """The cluster of the fixture `deploy`; its first node has a new server as of a container."""
    mariadb.forget()
    site = Site(deploy.directory)
    configure(site, mysql_password=PASSWORD, mysql_port=mariadb.port,
              mysql_data_path=str(mariadb.socket.parent))  # fmt: skip
    site("build")
    return site


def configure(site: Site, **values: Any) -> None:
    path = site.directory / "config.yaml"
    config = yaml.safe_load(path.read_text()) | values
    path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False))


def answer(site: Site, *words: str) -> Any:
    return json.loads(site(*words, "--output", "json").stdout)


def test_init_makes_everything_and_a_second_run_sends_nothing(site: Site, mariadb: MariaDb) -> None:
    configure(
        site,
        UserGroups={"Admins": {"Allowed": ["boss@example.org", "@corp.example"],
                               "uid": "20000", "gid": "20001"}},
        WebUIadminGroups=["Admins"],
        default_virtual_cluster_name="first one",
    )  # fmt: skip
    told = site("--dry-run", "db", "init").stderr
    assert "would make the account root@%" in told
    assert "would make the table identity" in told
    assert mariadb.sent() == []
    site("db", "init")
    assert mariadb.ask("SELECT plugin, Grant_priv FROM mysql.user WHERE Host = '%'") == [
        ("mysql_native_password", "Y")
    ]
    name = database(site)
    assert mariadb.ask(f"SELECT vcName, quota FROM `{name}`.vc") == [("first one", "{}")]
    rows = [
        {"name": "Administrator", "id": 999999999, "resource": "Cluster", "permission": "admin"},
        {"name": "boss@example.org", "id": 20000, "resource": "Cluster", "permission": "admin"},
    ]
    assert answer(site, "acl", "list") == rows
    before = mariadb.sent()
    assert before
    assert "nothing to do" in site("db", "init").stderr
    assert answer(site, "db", "init") == {"changed": []}
    assert mariadb.sent() == before


def database(site: Site) -> str:
    text = (site.directory / "deploy/clusterID.yml").read_text()
    return f"DLWSCluster-{yaml.safe_load(text)['clusterId']}"


def test_awkward_names_are_what_is_read_back(site: Site, mariadb: MariaDb) -> None:
    site("db", "init")
    site("user", "add", *NAMES, "--permission", "collaborator")
    site("vc", "add", NAMES[1], "--quota", "a=b 'c'=8")
    site("vc", "assign", NAMES[1], NAMES[0], NAMES[3], "--permission", "admin")
    name = database(site)
    kept = [row[0] for row in mariadb.ask(f"SELECT identityName FROM `{name}`.identity")]
    assert sorted(kept) == sorted(NAMES)
    users = {row["name"]: row for row in answer(site, "user", "list")}
    assert set(users) == set(NAMES)
    assert [users[one]["uid"] for one in NAMES] == [30001, 30002, 30003, 30004]
    resource = f"Cluster/VC:{NAMES[1]}"
    assert users[NAMES[3]]["permissions"] == {"Cluster": "collaborator", resource: "admin"}
    assert users[NAMES[2]]["permissions"] == {"Cluster": "collaborator"}
    (vc,) = [row for row in answer(site, "vc", "list") if row["name"] == NAMES[1]]
    assert vc["quota"] == {"a=b 'c'": 8}
    before = mariadb.sent()
    site("user", "add", *NAMES, "--permission", "collaborator")
    site("vc", "add", NAMES[1], "--quota", "a=b 'c'=8")
    assert answer(site, "vc", "assign", NAMES[1], NAMES[0], "--permission", "admin") == {
        "changed": []
    }
    assert mariadb.sent() == before


ODD = 'o\'n "x" $y `w` #1;[?] 100%s ü \\'


def test_an_account_a_group_and_its_part_of_any_name(site: Site, mariadb: MariaDb) -> None:
    group = {"Allowed": [NAMES[0], NAMES[2]], "uid": "20000-20009", "gid": "20001"}
    configure(site, mysql_username=ODD, mysql_password=f"pw{ODD}", default_virtual_cluster_name=ODD,
              UserGroups={ODD: group}, WebUIadminGroups=[ODD])  # fmt: skip
    site("db", "init")
    assert "nothing to do" in site("db", "init").stderr
    assert (ODD, "%") in mariadb.ask("SELECT user, host FROM mysql.user")
    site("acl", "set", "user", ODD, "--vc", ODD)
    rows = [(row["name"], row["resource"]) for row in answer(site, "acl", "list")]
    assert rows == [
        *((name, "Cluster") for name in ("Administrator", NAMES[0], NAMES[2])),
        (ODD, f"Cluster/VC:{ODD}"),
    ]
    assert [row["name"] for row in answer(site, "vc", "list")] == [ODD]


def test_ids_are_a_users_for_ever_and_running_jobs_keep_him(site: Site, mariadb: MariaDb) -> None:
    site("db", "init")
    site("user", "add", "ann", "bob", "--permission", "user")
    name = database(site)
    job = f"INSERT INTO `{name}`.jobs (jobId, familyToken, isParent, jobName, userName, vcName,"
    job += " jobType, jobParams, jobStatus) VALUES ('j1', '', 0, '', %s, %s, '', '', %s)"
    mariadb.ask(job, "bob", "platform", "running")
    assert "j1" in site("user", "remove", "bob", code=4).stderr
    assert "j1" in site("vc", "remove", "platform", code=4).stderr
    mariadb.ask(f"UPDATE `{name}`.jobs SET jobStatus = 'finished'")
    site("user", "remove", "bob")
    assert [row["name"] for row in answer(site, "user", "list")] == ["ann"]
    assert [row["name"] for row in answer(site, "acl", "list")] == ["Administrator", "ann"]
    site("user", "add", "eve", "bob")
    uids = {row["name"]: row["uid"] for row in answer(site, "user", "list")}
    assert uids == {"ann": 30001, "bob": 30002, "eve": 30003}
    assert answer(site, "user", "remove", "nobody") == {"changed": []}
    site("vc", "remove", "platform")
    assert answer(site, "vc", "list") == []


def test_nothing_lets_in_a_user_who_was_removed_and_comes_back(
    site: Site, mariadb: MariaDb
) -> None:
    """A token that had not ended counted again."""
    site("db", "init")
    site("user", "add", NAMES[0], "ann")
    name = database(site)
    for table in SIGN_INS[:3]:
        mariadb.ask(f"CREATE TABLE `{name}`.{table} (userName VARCHAR(255))")
        mariadb.ask(f"INSERT INTO `{name}`.{table} VALUES (%s), ('ann')", NAMES[0])
    site("user", "remove", NAMES[0])
    site("user", "add", NAMES[0])
    for table in SIGN_INS[:3]:
        assert mariadb.ask(f"SELECT userName FROM `{name}`.{table}") == [("ann",)]


def test_a_backup_brings_everything_back(
    site: Site, mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = told_statuses(monkeypatch)
    site("db", "init")
    site("user", "add", *NAMES)
    name = database(site)
    odd = "'); -- next\n-- dlws backup ends, rows: 0\n\\\0\x1a\r\"😀"
    mariadb.ask(f"INSERT INTO `{name}`.clusterstatus (status) VALUES (%s)", odd)
    mariadb.ask(f"CREATE TABLE `{name}`.`more ``x` (a BLOB, b DOUBLE, c BIT(9), d TIMESTAMP NULL,"
                " e INT AS (1 + 1), f DECIMAL(30, 10), g TIME(3))")  # fmt: skip
    mariadb.ask(f"INSERT INTO `{name}`.`more ``x` (a, b, c, d, f, g) VALUES (%s, 0.1, 257,"
                " '2026-01-02 03:04:05', 12345678901234567890.5, '-800:01:02.5'), (NULL, 1e300,"
                " NULL, NULL, NULL, NULL)", bytes(range(256)))  # fmt: skip
    before = content(mariadb, name)
    file = site.directory / "kept.sql.gz"
    site("db", "backup", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert "exists" in site("db", "backup", str(file), code=2).stderr
    site("user", "remove", *NAMES)
    mariadb.ask(f"CREATE TABLE `{name}`.extra (a INT)")
    now = content(mariadb, name)
    assert now != before
    refused = site("db", "restore", str(file), code=4, stdin="other\n").stderr
    assert "nothing was changed" in refused
    assert content(mariadb, name) == now
    site("db", "restore", str(file), "--yes-restore", "test")
    assert content(mariadb, name) == before
    shown = {text.rpartition(",")[0] for text in told}
    assert {f"saving {name}", f"reading {file}", f"restoring {file}"} <= shown
    (kept,) = (site.directory / "deploy/backups").iterdir()
    site("db", "restore", str(kept), "--yes-restore", "test")
    assert content(mariadb, name) == now


def content(mariadb: MariaDb, name: str) -> dict[str, Any]:
    """All tables of a database with their definitions and rows; and that no other is left over."""
    assert [row[0] for row in mariadb.ask("SHOW DATABASES LIKE 'DLWS%'")] == [name]
    found = {}
    for (table,) in mariadb.ask(f"SHOW TABLES IN `{name}`"):
        place = f"`{name}`.`{table.replace('`', '``')}`"
        made = mariadb.ask(f"SHOW CREATE TABLE {place}")[0][1]
        found[table] = (made, mariadb.ask(f"SELECT * FROM {place}"))
    return found


def test_a_backup_that_is_damaged_or_of_another_changes_nothing(
    site: Site, mariadb: MariaDb
) -> None:
    site("db", "init")
    file = site.directory / "kept.sql.gz"
    site("db", "backup", str(file))
    before = mariadb.sent()
    whole = file.read_bytes()
    for data in (whole[:-20], whole[:200], b"", b"x" * 99, whole[:300] + b"xx" + whole[302:]):
        file.write_bytes(data)
        assert "no whole backup" in site("db", "restore", str(file), code=2).stderr
    assert mariadb.sent() == before
    file.write_bytes(whole)
    identity = site.directory / "deploy/clusterID.yml"
    identity.write_text("clusterId: another\ncluster_name: test\n")
    site("db", "init", "--beside-others")
    before = mariadb.sent()
    told = site("db", "restore", str(file), "--yes-restore", "test", code=4).stderr
    assert "not of DLWSCluster-another" in told
    assert mariadb.sent() == before


def test_connect_runs_statements_of_a_person(site: Site, mariadb: MariaDb) -> None:
    site("db", "init")
    sql = "SELECT 'a;b' AS x,\n 1 AS n; -- no; end\nUPDATE vc SET metadata = '{\"a\": 1}';\n"
    sql += "SELECT metadata FROM vc"
    out = site("db", "connect", "--output", "json", stdin=sql).stdout.splitlines()
    assert [json.loads(line) for line in out] == [
        [{"x": "a;b", "n": 1}], [], [{"metadata": '{"a": 1}'}],
    ]  # fmt: skip
    site("--dry-run", "db", "connect", stdin="DELETE FROM vc;")
    assert len(answer(site, "vc", "list")) == 1
    assert "syntax" in site("db", "connect", stdin="SELEC 1;", code=1).stderr


def test_each_trouble_is_a_clear_error(site: Site, mariadb: MariaDb) -> None:
    early = site("user", "list", code=1).stderr
    assert "does not let root in" in early and "db init" in early
    site("db", "init")
    name = database(site)
    mariadb.ask(f"DROP TABLE `{name}`.acl")
    half = site("acl", "list", code=1).stderr
    assert "not complete" in half and "db init" in half
    site("db", "init")
    configure(site, mysql_password="wrong one")
    wrong = site("user", "list", code=1).stderr
    assert "does not let root in" in wrong and "mysql_password" in wrong
    configure(site, mysql_password=PASSWORD, mysql_node="w9")
    assert "no machine has that name" in site("user", "list", code=2).stderr
    configure(site, mysql_node="infra1", mysql_port=mariadb.port + 1)
    away = site("db", "init", code=1).stderr
    assert "no database answers at infra1" in away and "--wait" in away
    ssh = yaml.safe_load((site.directory / "config.yaml").read_text())["ssh"]
    configure(site, mysql_port=mariadb.port, ssh={**ssh, "port": free_port()})
    off = site("db", "init", code=1).stderr
    assert "infra1" in off and "refuses connections on port" in off
    assert "cure: is sshd running there?" in off and "kubernetes start mysql" not in off
    configure(site, ssh=ssh, datasource="AzureSQL")
    assert "datasource" in site("user", "list", code=2).stderr
    configure(site, datasource="MySQL")
    (site.directory / "deploy/clusterID.yml").write_text("clusterId: new\ncluster_name: test\n")
    other = site("user", "list", code=1).stderr
    assert f"there is {name}" in other and "db init" in other
    assert name in site("db", "init", code=4).stderr


def test_a_dead_server_comes_back_and_init_waits_for_it(site: Site, mariadb: MariaDb) -> None:
    mariadb.stop("kill")
    try:
        told = site("user", "add", "ann", code=1).stderr
        assert "no database answers at infra1" in told and "kubernetes start mysql" in told
    finally:
        mariadb.start()
    site("db", "init", "--wait", "20")
    site("user", "add", "ann")
    assert [row["name"] for row in answer(site, "user", "list")] == ["ann"]


def test_a_new_password_is_set_from_the_nodes_own_socket(site: Site, mariadb: MariaDb) -> None:
    site("db", "init")
    for password in ("neu 'ü'\\", "x" * 80):
        configure(site, mysql_password=password)
        site("user", "list", code=1)
        assert answer(site, "db", "init")["changed"]
        assert answer(site, "user", "list") == []


def test_a_restore_that_fails_on_the_way_changes_nothing(site: Site, mariadb: MariaDb) -> None:
    site("db", "init")
    name = database(site)
    mariadb.ask(f"CREATE TABLE `{name}`.zz (a INT CHECK (a > 0))")
    file = site.directory / "kept.sql.gz"
    site("db", "backup", str(file))
    text = gzip.decompress(file.read_bytes()).decode()
    more = "-- next\nINSERT INTO `zz` (`a`) VALUES (-1);\n-- dlws backup ends"
    file.write_bytes(gzip.compress(text.replace("-- dlws backup ends", more).encode()))
    before = content(mariadb, name)
    site("db", "restore", str(file), "--yes-restore", "test", code=1)
    assert content(mariadb, name) == before
    file.write_bytes(gzip.compress(text.encode()))
    site("db", "restore", str(file), "--yes-restore", "test")
    assert content(mariadb, name) == before


def test_backups_of_an_encrypted_directory_are_encrypted(
    site: Site, deploy: Deploy, mariadb: MariaDb
) -> None:
    site("db", "init")
    configure(site, secrets_key="some passphrase")
    deploy("secrets", "encrypt")
    site("db", "backup")
    (file,) = (site.directory / "deploy/backups").iterdir()
    assert not file.read_bytes().startswith(b"\x1f\x8b")
    assert b"CREATE TABLE" not in file.read_bytes()
    name = database(site)
    before = content(mariadb, name)
    mariadb.ask(f"DELETE FROM `{name}`.acl")
    site("db", "restore", str(file), "--yes-restore", "test")
    assert content(mariadb, name) == before
    deploy("secrets", "decrypt")
    assert file.read_bytes().startswith(b"\x1f\x8b")


def test_half_an_init_is_finished_by_the_next(site: Site, mariadb: MariaDb) -> None:
    site("db", "init")
    name = database(site)
    whole = {table: made for table, (made, _) in content(mariadb, name).items()}
    mariadb.ask(f"DROP DATABASE `{name}`")
    site("db", "init")
    for table in list(whole)[3:]:
        mariadb.ask(f"DROP TABLE `{name}`.`{table}`")
    site("db", "init")
    mariadb.ask("REVOKE GRANT OPTION ON *.* FROM root@'%'")
    mariadb.ask(f"ALTER TABLE `{name}`.acl DROP COLUMN isDeny")
    site("db", "init")
    found = {table: made for table, (made, _) in content(mariadb, name).items()}
    assert set(found) == set(whole)
    assert "isDeny" in found["acl"]
    assert answer(site, "db", "init") == {"changed": []}


def test_nobody_sees_a_password(
    site: Site, deploy: Deploy, mariadb: MariaDb, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Not on command lines or in environments, in what is printed, in records, on the server."""
    temporary = tmp_path_factory.mktemp("tmp")
    canary = canaries.CANARIES["mysql_password",]
    configure(site, mysql_password=canary)

    def seen(data: bytes) -> list[str]:
        return [slot for slot in canaries.found(data) if slot == "mysql_password"]

    told = b""
    with watch(seen) as shown:
        for words in (
            ("-v", "db", "init"),
            ("user", "add", "ann"),
            ("db", "backup", "--output", "json"),
            ("-v", "--dry-run", "user", "add", "bob"),
        ):
            done = deploy(*words, environment={"TMPDIR": str(temporary)})
            told += done.stdout.encode() + done.stderr.encode()
        configure(site, mysql_password=canary + "x")
        told += deploy("user", "list", code=1).stderr.encode()
    configure(site, mysql_password=canary)
    assert shown == [] and seen(told) == []
    records = [path for path in (site.directory / "deploy").rglob("*") if path.is_file()]
    assert [path for path in records if seen(path.read_bytes())] == []
    assert seen(mariadb.log.read_bytes()) == []
    assert list(temporary.iterdir()) == []
    private = mariadb.ask(f"SELECT private_key FROM `{database(site)}`.identity")[0][0]
    assert "PRIVATE KEY" in private and b"PRIVATE KEY" not in told
    texts = [path for path in records if path.suffix not in (".gz", "") or path.name == "journal"]
    assert [path for path in texts if private.encode() in path.read_bytes()] == []


def test_a_plan_is_applied_as_it_stands(site: Site) -> None:
    site("db", "init")
    file = str(site.directory / "plan")
    site("plan", "-o", file, "user", "add", "ann", "--permission", "user")
    assert answer(site, "user", "list") == []
    site("apply", file)
    assert [row["permissions"] for row in answer(site, "user", "list")] == [{"Cluster": "user"}]
