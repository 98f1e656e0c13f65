"""Workers find each other: by names that the cluster's DNS answers, and NPUs by a rank table."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from jobplatform.manager import ranktable
from jobplatform.manager.pods import ATTEMPT, JOB, objects, service
from jobplatform.store import vcs
from jobplatform.store.database import changing
from tests.support.platform.kubernetes import node
from tests.support.platform.managers import Site, attempt, container, env

KEY = "ascend.kubectl.kubernetes.io/ascend-910-configuration"
ASCEND = "huawei.com/Ascend910"
GANG = {"kind": "distributed", "workers": 2, "device": "Ascend910", "devices": 2}


def said(first: int) -> str:
    """What the device plugin says of two NPUs."""
    devices = [{"device_id": str(i), "device_ip": f"192.168.100.{i}"} for i in (first + 1, first)]
    return json.dumps({"pod_name": "x", "server_id": "10.0.0.1", "devices": devices})


def test_every_name_that_a_worker_is_told_is_one_of_the_headless_services() -> None:
    """Kubernetes names HOSTNAME.SUBDOMAIN where a headless service has the subdomain's name."""
    made = objects(attempt(kind="distributed", workers=3))
    named = {f"job-1234-1-worker-{i}.job-1234-1" for i in range(3)}
    pods = [one for kind, one in made if kind == "pods"]
    assert {f"{one['spec']['hostname']}.{one['spec']['subdomain']}" for one in pods} == named
    headless, hosts = dict(made[:1])["services"], dict(made[1:2])["configmaps"]
    assert headless["spec"]["clusterIP"] == "None"
    assert headless["metadata"]["name"] == pods[0]["spec"]["subdomain"]
    for one in pods:
        assert headless["spec"]["selector"].items() <= one["metadata"]["labels"].items()
        assert env(one)["MASTER_ADDR"] == "job-1234-1-worker-0.job-1234-1"
    lines = hosts["data"]["hostfile"].splitlines()
    assert {line.split()[0] for line in lines} == named
    assert service(attempt())["spec"]["publishNotReadyAddresses"]  # before any of them is ready


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"devices": 5}', '{"devices": [{"device_id": "x", "device_ip": "1.2.3.4"}]}',
     '{"devices": [{"device_id": "0", "device_ip": "evil"}]}', "[" * 100_000,
     '{"devices": [{"device_id": "0", "device_ip": "1.2.3.4"},'
     ' {"device_id": "0", "device_ip": "1.2.3.5"}]}'],
)  # fmt: skip
def test_what_makes_no_sense_names_no_devices(text: str) -> None:
    assert ranktable.told({KEY: text}) == ()


def test_devices_are_read_by_either_name_in_the_order_of_their_numbers() -> None:
    wanted = ((4, "192.168.100.4"), (5, "192.168.100.5"))
    assert ranktable.told({KEY: said(4)}) == wanted
    assert ranktable.told({KEY.replace("ascend.", "atlas."): said(4)}) == wanted
    assert ranktable.told(None) == ranktable.told({}) == ()


@pytest.fixture
def site(database: Engine) -> Site:
    made = Site(database)
    made.cluster.nodes = {name: node(name, 2, ASCEND, "Ascend910") for name in ("n1", "n2")}
    with changing(database) as connection:
        vcs.change(connection, "a", {"Ascend910": 4}, {})
    return made


def tables(site: Site) -> list[Any]:
    return [one for (kind, _, name), one in site.cluster.objects.items()
            if kind == "configmaps" and name.endswith("-hccl")]  # fmt: skip


def test_the_table_is_made_once_all_devices_are_known_and_goes_with_the_attempt(
    site: Site,
) -> None:
    number = site.submit(**GANG)
    site.turns()
    pods = site.cluster.pods()
    pods[f"job-{number}-1-worker-0"]["metadata"]["annotations"] = {KEY: said(0)}
    site.turns()
    assert tables(site) == []
    pods[f"job-{number}-1-worker-1"]["metadata"]["annotations"] = {KEY: said(6)}
    site.turns()
    (made,) = tables(site)
    assert {made["metadata"]["labels"][one] for one in (JOB, ATTEMPT)} == {number, "1"}
    found = json.loads(made["data"]["hccl.json"])
    assert (found["status"], found["server_count"]) == ("completed", "2")
    assert [one["server_id"] for one in found["server_list"]] == [
        f"job-{number}-1-worker-{i}" for i in (0, 1)
    ]
    devices = [(row["rank_id"], row["device_id"], row["device_ip"])
               for one in found["server_list"] for row in one["device"]]  # fmt: skip
    assert devices == [("0", "0", "192.168.100.0"), ("1", "1", "192.168.100.1"),
                       ("2", "6", "192.168.100.6"), ("3", "7", "192.168.100.7")]  # fmt: skip
    sent = len(site.cluster.sent)
    site.turns()
    assert site.cluster.sent[sent:] == []
    for index in (0, 1):
        site.cluster.end(f"job-{number}-1-worker-{index}")
    site.turns()
    assert (site.job(number).jobStatus, tables(site)) == ("finished", [])


def test_too_few_devices_are_no_table(site: Site) -> None:
    number = site.submit(**{**GANG, "kind": "regular", "workers": 1})
    site.turns()
    short = json.loads(said(0))
    short["devices"].pop()
    (pod,) = site.cluster.pods().values()
    pod["metadata"]["annotations"] = {KEY: json.dumps(short)}
    site.turns()
    assert (tables(site), site.job(number).jobStatus) == ([], "running")


def test_an_npu_job_waits_for_its_table_and_no_other_does() -> None:
    made = dict(objects(attempt(ASCEND, device="x", devices=2, command="echo $HOME")))["pods"]
    (source,) = [one for one in made["spec"]["volumes"] if one["name"] == "hosts"]
    assert [one["configMap"] for one in source["projected"]["sources"]] == [
        {"name": "job-1234-1"}, {"name": "job-1234-1-hccl", "optional": True},
    ]  # fmt: skip
    assert env(made)["RANK_TABLE_FILE"] == "/etc/dlws/hccl.json"
    assert container(made)["command"][3] == "echo $$HOME"
    other = dict(objects(attempt(device="x", devices=2)))["pods"]
    assert len(container(other)["command"]) == 3 and "RANK_TABLE_FILE" not in env(other)


@pytest.mark.parametrize("there", [True, False])
def test_the_command_goes_on_with_the_table_or_without_where_none_comes(
    tmp_path: Path, there: bool
) -> None:
    script = ranktable.WAIT.replace(ranktable.PLACE, str(tmp_path)).replace("180", "0")
    if there:
        (tmp_path / "hccl.json").write_text("{}")
    done = subprocess.run(
        ["/bin/sh", "-c", script, "echo \"table: $RANK_TABLE_FILE\"; exit 7"],
        env={"RANK_TABLE_FILE": "f", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (7, "table: f\n" if there else "table: \n")
    assert bool(done.stderr) != there
