"""Values from the API server, from Azure and from the database reach a terminal as text and colours
only: each of them once, by itself, with every control sequence in it.

What nodes print is in test_hostile_output.py, the job platform's answers in tests/cli/test_job.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlws.cli.az import az
from dlws.cli.root import cli
from tests.support import ROOT
from tests.support.arm.arm import Answer, Asked
from tests.support.arm.cluster import Site
from tests.support.arm.configs import PLAIN, SCALE_SET
from tests.support.arm.fixtures import local, site
from tests.support.bentobjects import GOOD, places, replaced
from tests.support.deploy import Deploy
from tests.support.farm.cluster import directory
from tests.support.farm.fixtures import StartFarm
from tests.support.kubehttps import Server, response, serving
from tests.support.kubeobjects import node
from tests.support.mariadb import PASSWORD, MariaDb
from tests.support.oddtexts import ALL, ODD, SHOWN, bent
from tests.support.sites import WEB
from tests.support.terminals import command_on_a_terminal, deploy_on_a_terminal, on_a_terminal, told

__all__ = ["local", "site"]
NODES = "/api/v1/nodes"
SYSTEM = "/api/v1/namespaces/kube-system/pods"


def texts(item: Any) -> Iterator[tuple[Any, ...]]:
    """The ways to all texts of an object."""
    for way in places(item):
        found = item
        for key in way:
            found = found[key]
        if isinstance(found, str):
            yield way


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell of a table is folded."""
    monkeypatch.setenv("COLUMNS", "2000")


def show(place: Path, *words: str) -> str:
    return told(command_on_a_terminal(cli, "--dir", place, *words))


def objects() -> dict[str, Any]:
    """By path, an object of each kind that is read: a service whose pod does not start, a node."""
    found = json.loads(json.dumps(GOOD))  # they share parts
    del found["/apis/apps/v1/deployments"]["metadata"]["ownerReferences"]
    found["/api/v1/pods"]["metadata"]["ownerReferences"] = [{"name": "web", "uid": "u"}]
    return {
        **found,
        NODES: node("node001", ready=False, grafana="other"),
        SYSTEM: found["/api/v1/pods"],
    }


@pytest.fixture
def api(start_farm: StartFarm, tmp_path: Path) -> Iterator[tuple[Path, Server]]:
    """A cluster's directory with a service, and the API server of its one node."""
    farm = start_farm(1, "fake")
    with serving(farm.hosts[0].address, tmp_path) as server:
        settings = f"  connect_timeout: 2\nkubernetes:\n  api_port: {server.server_address[1]}\n"
        place = directory(farm)
        config = place / "config.yaml"
        config.write_text(config.read_text().replace("kubernetes:\n", settings))
        server.admin_conf(place)
        shop = place / "templates/services/shop"
        shop.mkdir(parents=True)
        (shop / "a.yaml").write_text(WEB)
        server.lists = {path: [item] for path, item in objects().items()}
        yield place, server


STATUS = (("status",), ("status", "--output", "json"))
SERVICES = (("kubernetes", "status", "shop"), ("kubernetes", "status", "shop", "--output", "json"))


COMMANDS = {NODES: (*STATUS, ("--dry-run", "kubernetes", "labelservice")), SYSTEM: STATUS}


def test_each_text_of_an_api_servers_objects(api: tuple[Path, Server]) -> None:
    place, server = api
    assert "failing" in show(place, *SERVICES[0]) and "NotReady" in show(place, *STATUS[0])
    seen = set()
    for path, item in objects().items():
        for way in texts(item):
            server.lists[path] = [replaced(item, way, ODD)]
            for words in COMMANDS.get(path, SERVICES):
                if SHOWN in show(place, *words):
                    seen.add((path.rpartition("/")[2], way[-1]))
        server.lists[path] = [item]
    assert seen >= {("nodes", "message"), ("nodes", "kubeletVersion"), ("nodes", "grafana")}
    assert seen >= {("pods", "name"), ("pods", "message"), ("pods", "nodeName")}
    server.lists[NODES] = [replaced(objects()[NODES], ("status", "conditions", 1, "message"), ALL)]
    assert "NotReady" in told(deploy_on_a_terminal(place, *STATUS[0], code=5))


@pytest.mark.parametrize("words", [
    STATUS[0], SERVICES[0], ("kubernetes", "start", "shop"), ("kubernetes", "cordon", "infra"),
])  # fmt: skip
def test_what_an_api_server_says_in_place_of_objects(
    api: tuple[Path, Server], words: tuple[str, ...]
) -> None:
    place, server = api
    line = ALL.replace("\n", "").replace("\r", "").encode(errors="surrogateescape")
    for answer in (
        response(500, "{}", line),
        response(403, json.dumps({"message": ALL})),
        response(200, ALL),
        ALL.encode(errors="surrogateescape"),
    ):
        server.always = answer
        assert show(place, *words)
    server.always = response(409, json.dumps({"message": ODD}))
    assert SHOWN in show(place, *words)


KEYS = ("name", "vmSize", "code", "message", "privateIPAddress", "ipAddress", "fqdn", "location",
        "value", "id", "zones", "owner")  # fmt: skip
"""Of the texts in Azure's answers; `owner` is a tag."""
AZURE = (("list",), ("list", "--output", "json"), ("check",), ("start", "all"), ("delete",),
         ("whitelist", "list"))  # fmt: skip


def azure(site: Site, *words: str) -> str:
    return told(command_on_a_terminal(az, "--dir", site.directory, *words))


def faulty(site: Site, lines: tuple[tuple[str, ...], ...]) -> set[tuple[str, str]]:
    """Which texts of Azure's answers were shown by which commands, each text odd once."""
    seen = set()
    for key in KEYS:

        def fault(asked: Asked, key: str = key) -> Answer:
            answer = site.arm._answer(asked)
            return Answer(answer.status, bent(answer.body, key), answer.headers)

        site.arm.faults = [fault]
        seen |= {(key, " ".join(words)) for words in lines if SHOWN in azure(site, *words)}
    return seen


def test_each_text_of_azures_answers(site: Site) -> None:
    site.configure(PLAIN.replace("azure_cluster: {", "azure_cluster: {tags: {owner: lab}, "))
    site("create")
    wanted = ("name", "vmSize", "privateIPAddress", "ipAddress", "fqdn")
    assert faulty(site, AZURE) >= {(key, "list") for key in wanted}
    line = [sys.executable, str(ROOT / "az_tools.py"), "--dir", str(site.directory), "list"]
    assert told(on_a_terminal(line))


SCALE_SETS = (("vmss", "list"), ("vmss", "start", "all"), ("vmss", "scale", "3"))


def test_each_text_of_azures_answers_about_a_scale_set(site: Site) -> None:
    site.configure(SCALE_SET)
    site("create")
    assert ("privateIPAddress", "vmss list") in faulty(site, SCALE_SETS)


@pytest.mark.parametrize("status", [400, 403, 409])
def test_errors_of_azure(site: Site, status: int) -> None:
    site("create")
    inner = {"code": ODD, "message": ODD}
    error = {"code": ODD, "message": f"{ODD} {ALL}", "target": ODD, "details": [inner]}
    site.arm.faults = [lambda asked: Answer(status, {"error": error})]
    for words in AZURE:
        assert SHOWN in azure(site, *words)


@pytest.fixture
def database(deploy: Deploy, mariadb: MariaDb) -> Path:
    """A cluster's directory, whose database has rows with all sequences, some in each."""
    mariadb.forget()
    place = deploy.directory
    config = yaml.safe_load((place / "config.yaml").read_text())
    config |= {"mysql_password": PASSWORD, "mysql_port": mariadb.port,
               "mysql_data_path": str(mariadb.socket.parent)}  # fmt: skip
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    for words in (("build",), ("db", "init"), ("user", "add", "ann"), ("vc", "add", "lab")):
        show(place, *words)
    ((name,),) = mariadb.ask("SHOW DATABASES LIKE 'DLWS%'")
    # Its columns are of UTF-8, and take nothing else.
    text = ALL.encode(errors="surrogateescape").decode(errors="replace")
    pieces = [ODD.encode(errors="replace").decode()]
    pieces += [text[at : at + 120] for at in range(0, len(text), 120)]
    for number, piece in enumerate(pieces):
        _insert(mariadb, name, f"{number}{piece}")
    return place


def _insert(mariadb: MariaDb, name: str, text: str) -> None:
    rows: dict[str, dict[str, Any]] = {
        "identity": {"identityName": text, "uid": 5, "gid": 5, "groups": json.dumps([text]),
                     "public_key": text, "private_key": text},
        "vc": {"vcName": text, "quota": text, "metadata": text, "resourceQuota": text,
               "resourceMetadata": text},
        "acl": {"identityName": text, "identityId": 5, "resource": f"Cluster:x:VC:{text}"[:255],
                "permissions": 7},
        "jobs": {"jobId": text[:50], "familyToken": "f", "isParent": 1, "jobName": text,
                 "userName": "ann", "vcName": "lab", "jobStatus": text, "jobType": text,
                 "jobParams": text},
    }  # fmt: skip
    for table, row in rows.items():
        columns, marks = ", ".join(f"`{one}`" for one in row), ", ".join(["%s"] * len(row))
        sql = f"INSERT INTO `{name}`.`{table}` ({columns}) VALUES ({marks})"
        mariadb.ask(sql, *row.values())


def test_texts_in_the_database(database: Path) -> None:
    for words in (("user", "list"), ("vc", "list"), ("acl", "list")):
        assert SHOWN in show(database, *words)
        assert "aGk=" in show(database, *words, "--output", "json")
    for kind, name in (("user", "ann"), ("vc", "lab")):
        assert "<^G>" in show(database, kind, "remove", name)  # the ids of jobs that did not end
    assert SHOWN in told(deploy_on_a_terminal(database, "user", "list"))
