"""What is made; without Azure, what would be."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dlws.azure.client import Azure
from dlws.cli import cli
from dlws.cli.az import az
from tests.support import ROOT
from tests.support.arm.arm import Answer, Asked
from tests.support.arm.cluster import Site
from tests.support.arm.configs import KEY, PLAIN
from tests.support.arm.server import SECRET, TOKEN
from tests.support.arm.world import SUBSCRIPTION, VM


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(PLAIN)
    key = tmp_path / "deploy/sshkey/id_ed25519.pub"
    key.parent.mkdir(parents=True)
    key.write_text(f"{KEY}\n")
    return tmp_path


def ran(place: Path, *words: str) -> Result:
    return CliRunner().invoke(az, ["--dir", str(place), *words])


def test_a_dry_run_prints_the_template_without_the_network(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    done = ran(place, "create", "--dry-run")
    assert done.exit_code == 0, done.output
    template = json.loads(done.stdout)
    names = [one["name"] for one in template["resources"]]
    assert "atlas-worker02" in names and "Atlas-VNet" in names
    assert "would make Microsoft.Compute/virtualMachines atlas-infra01" in done.stderr
    assert "2 worker of size Standard_NC4as_T4_v3" in done.stderr
    assert not (place / "deploy/runs").exists()


def test_without_a_key_it_says_how_to_make_one(place: Path) -> None:
    (place / "deploy/sshkey/id_ed25519.pub").unlink()
    done = ran(place, "--dry-run", "create")
    assert done.exit_code == 2 and done.stderr.endswith(" build\n")


def test_without_the_section_there_is_nothing_to_make(place: Path) -> None:
    (place / "config.yaml").write_text("cluster_name: a\nmachines: {m: {role: infra}}\n")
    done = ran(place, "--dry-run", "create")
    assert done.exit_code == 2 and "config.yaml has no azure_cluster" in done.stderr


def test_the_older_file_of_the_azure_cluster_is_understood(place: Path) -> None:
    (place / "azure_cluster_config.yaml").write_text(
        "azure_cluster: {worker_vm_size: Standard_NC6}\n"
    )
    done = ran(place, "--dry-run", "create")
    assert "2 worker of size Standard_NC6" in done.stderr


DEPLOYMENT = "PUT AtlasResGrp/providers/Microsoft.Resources/deployments/atlas-create"
MADE = ["PUT AtlasResGrp", DEPLOYMENT]


def names(site: Site, kind: str) -> list[str]:
    return sorted(one["name"] for one in site.arm.world.of(kind))


def test_three_runs_make_one_deployment(site: Site) -> None:
    first = site("create")
    assert "atlas-worker02: changed: virtualMachines atlas-worker02" in first.stderr
    for _ in range(2):
        assert "nothing to do: all of it is there" in site("create").stderr
    assert site.arm.wrote() == MADE
    assert names(site, VM) == ["atlas-infra01", "atlas-nfs01", "atlas-worker01", "atlas-worker02"]
    assert site.arm.world.groups["atlasresgrp"]["tags"] == {
        "cluster": "Atlas", "managed-by": "az_tools",
    }  # fmt: skip


def test_what_is_changed_in_the_rules_is_changed_there_and_nothing_else(site: Site) -> None:
    site("create")
    by_hand = {"name": "mine", "properties": {"priority": 2000, "access": "Allow"}}
    rules = site.arm.world.named("Atlas-nsg")["properties"]["securityRules"]
    rules.append(by_hand)
    site.change("[203.0.113.0/24]", "[203.0.113.9]")
    done = site("create")
    assert "securityRules Atlas-nsg/allowdevtcp" in done.stderr
    made = site.arm.deployments["atlas-create"].operations
    assert [one.name for one in made] == ["Atlas-nsg/allowdevtcp", "Atlas-nfs-nsg/allow_ssh"]
    found = {rule["name"]: rule["properties"] for rule in rules}
    assert found["allowdevtcp"]["sourceAddressPrefix"] == "203.0.113.9" and "mine" in found
    assert "nothing to do" in site("create").stderr


def test_a_rule_whose_priority_is_anothers_is_said_not_to_be_made(site: Site) -> None:
    tags = "cloud_config_nsg_rules:\n  service_tags: [AzureCloud]"
    site.change("cloud_config_nsg_rules:", tags)
    site("create")
    site.change("[AzureCloud]", "[Storage]")
    done = site("create")
    assert "the rule allow_Storage is not made: allow_AzureCloud has its priority" in done.stderr
    assert "az_tools.py" in done.stderr and "service_tag_rules create" in done.stderr
    assert site.arm.wrote() == MADE
    site("service_tag_rules", "create")
    assert "is not made" not in site("create").stderr


def test_machines_that_cannot_be_had_are_named_and_the_others_made(site: Site) -> None:
    words = "Allocation failed. We do not have sufficient capacity for the requested VM size."
    site.arm.world.doomed["atlas-worker01"] = ("AllocationFailed", words)
    done = site("create", code=3)
    assert f"not made: atlas-worker01: {words} (AllocationFailed)" in done.stderr
    assert "cure: try again later, or choose another size" in done.stderr
    assert site.arm.world.named("atlas-worker02")["power"] == "running"
    site.arm.world.doomed.clear()
    site("create")
    last = site.arm.deployments["atlas-create"].operations
    assert [one.name for one in last] == ["atlas-worker01"]
    assert "nothing to do" in site("create").stderr


def test_a_quota_that_is_used_up_is_seen_before_anything_is_made(site: Site) -> None:
    site.arm.world.usages[0]["limit"] = 10
    done = site("create", code=5)
    assert "quota: cores: 16 needed, 10 of 10 left" in done.stderr and not site.arm.wrote()
    done = site("--force", "create", code=3)
    assert "exceeding approved cores Cores quota. Current Limit: 10" in done.stderr
    assert "cure: have the quota raised" in done.stderr
    site.arm.world.usages[0]["limit"] = 100
    site("create")
    assert len(names(site, VM)) == 4


def test_a_size_that_is_not_for_us(site: Site) -> None:
    restriction = {"type": "Location", "reasonCode": "NotAvailableForSubscription"}
    site.arm.world.sizes[2]["restrictions"] = [restriction]
    done = site("create", code=5)
    assert "Standard_NC4as_T4_v3 is not for you in westus2: NotAvailable" in done.stderr
    assert not site.arm.wrote()


@pytest.mark.parametrize("status", [429, 503])
def test_storms_are_sat_out(site: Site, status: int) -> None:
    seen = dict[tuple[str, str], int]()

    def storm(asked: Asked) -> Answer | None:
        times = seen[asked.method, asked.path] = seen.get((asked.method, asked.path), 0) + 1
        if times > 1:
            return None
        error = {"error": {"code": "TooManyRequests", "message": "slow down"}}
        return Answer(status, error, {"retry-after-ms": "1"})

    site.arm.faults.append(storm)
    site("create")
    assert len(names(site, VM)) == 4
    assert [seen["PUT", asked.path] for asked in site.arm.asked if asked.method == "PUT"]


def test_a_token_that_ends_in_the_middle(site: Site) -> None:
    def end(asked: Asked) -> Answer | None:
        if asked.path.endswith("/operations"):
            site.local.server.token = "another"
        return None

    site.arm.faults.append(end)
    done = site("create", code=1)
    assert "The access token expired. (ExpiredAuthenticationToken)" in done.stderr
    assert "log in again (az login)" in done.stderr
    site.arm.faults.clear()
    site.local.server.token = TOKEN
    site("create")
    assert len(names(site, VM)) == 4 and site.arm.wrote() == MADE


def test_a_group_of_somebody_else_is_left_alone(site: Site) -> None:
    where = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/AtlasResGrp"
    site.arm.world.groups["atlasresgrp"] = {
        "id": where,
        "name": "AtlasResGrp",
        "location": "westus2",
        "tags": {"cluster": "other"},
    }
    done = site("create", code=4)
    assert "is of the cluster other; nothing was changed" in done.stderr
    assert "--set tags.cluster=Atlas tags.managed-by=az_tools" in done.stderr
    assert not site.arm.wrote()


def test_it_need_not_be_waited_for(site: Site) -> None:
    done = site("create", "--no-wait")
    assert "Azure makes 15 resources; wait for it" in done.stderr
    assert not names(site, VM)
    assert "atlas-infra01: changed" in site("wait").stderr
    assert "no deployment is at work" in site("wait").stderr
    assert site.arm.wrote() == MADE


def test_azure_is_asked_what_it_would_change(site: Site) -> None:
    site("create")
    site.change("worker_node_num: 2", "worker_node_num: 3")
    done = site("create", "--what-if")
    assert "Create    Microsoft.Compute/virtualMachines/atlas-worker03" in done.stdout
    assert site.arm.wrote() == MADE and len(names(site, VM)) == 4


def test_a_whole_rack_is_one_deployment(site: Site) -> None:
    site.change("worker_node_num: 2", "worker_node_num: 50")
    site("create")
    assert site.arm.wrote() == MADE and len(names(site, VM)) == 52
    looks = [
        one
        for one in site.arm.asked
        if one.method == "GET" and one.path.endswith("deployments/atlas-create")
    ]
    assert len(looks) <= 10, "it is as quick as the longest chain of resources"


def test_images_get_the_version_that_is_the_latest_now(site: Site) -> None:
    site("create")
    profile = site.arm.world.named("atlas-infra01")["properties"]["storageProfile"]
    assert profile["imageReference"]["version"] == "24.04.202608010"


def test_workers_are_added(site: Site) -> None:
    site("create")
    site("addworkers", "2")
    assert [name for name in names(site, VM) if "worker" in name] == [
        "atlas-worker01", "atlas-worker02", "atlas-worker03", "atlas-worker04",
    ]  # fmt: skip
    assert "nothing to do" in site("addworkers").stderr
    site.change("worker_node_num: 2", "worker_node_num: 5")
    site("addworkers")
    assert names(site, VM)[-1] == "atlas-worker05"


def test_a_dry_run_of_more_workers_asks_and_sends_nothing(site: Site) -> None:
    site("create")
    done = site("addworkers", "1", "--dry-run")
    assert "would make Microsoft.Compute/virtualMachines atlas-worker03" in done.stderr
    assert site.arm.wrote() == MADE


def test_no_secret_is_shown_or_written_down(site: Site) -> None:
    (site.directory / "w.yaml").write_text("#cloud-config\npassword: hunter2-hunter2\n")
    site.change("{cloud:", "{cloud_init: {worker: w.yaml}, cloud:")
    shown = site("-v", "create").output + site.records()
    sent = site.arm.world.hidden[
        f"/subscriptions/{SUBSCRIPTION}/resourcegroups/atlasresgrp/providers/microsoft.compute"
        "/virtualmachines/atlas-worker01"
    ]
    assert base64.b64decode(sent).endswith(b"hunter2-hunter2\n")
    for secret in (TOKEN, SECRET, "hunter2", sent):
        assert secret not in shown
    assert "atlas-worker01" in site.records()


def test_nobody_is_asked_but_azure(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    places, connect = set[str](), socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        places.add(f"{address[0]}:{address[1]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    site("create")
    assert places == {site.arm.base.removeprefix("https://")}


def test_ctrl_c_leaves_it_at_work(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Azure, "pause", interrupt)
        done = site("create", code=1)  # click's own code for it; main() makes it 130
    assert "the deployment goes on in Azure; wait for it: " in done.stderr
    site("wait")
    assert len(names(site, VM)) == 4 and site.arm.wrote() == MADE


def process(site: Site, *words: str) -> subprocess.Popen[str]:
    line = [sys.executable, str(ROOT / "az_tools.py"), "--dir", str(site.directory), *words]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_is_killed_in_the_middle_and_a_second_run_completes_it(site: Site) -> None:
    begun = threading.Event()

    def note(asked: Asked) -> Answer | None:
        if asked.path.endswith("/operations"):
            begun.set()
        return None

    site.arm.held = True
    site.arm.faults.append(note)
    first = process(site, "create")
    assert begun.wait(300), first.communicate(timeout=10)
    first.kill()
    first.communicate()
    assert not names(site, VM)
    site.arm.deployments["atlas-create"].held = False
    done = site("create")
    assert "an earlier deployment is at work" in done.stderr
    assert len(names(site, VM)) == 4 and site.arm.wrote() == MADE


def test_as_a_person_runs_it(site: Site) -> None:
    run = process(site, "create")
    _, said = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert "atlas-infra01: changed: virtualMachines atlas-infra01" in said
    assert site.arm.wrote() == MADE


def test_a_run_of_ours_is_run_again_and_not_resumed(site: Site) -> None:
    site.arm.world.doomed["atlas-worker01"] = ("AllocationFailed", "none left")
    site("create", code=3)
    done = CliRunner().invoke(cli, ["--dir", str(site.directory), "resume"])
    assert done.exit_code == 2 and "is of az_tools.py" in done.stderr, done.output
    assert "run it again, what is made stays" in done.stderr


def test_the_key_of_another_cluster_is_not_used(site: Site) -> None:
    (site.directory / "deploy/clusterID.yml").write_text('cluster_name: "other"\n')
    assert "belongs to the cluster other" in site("create", code=2).stderr
    assert site.arm.wrote() == []
