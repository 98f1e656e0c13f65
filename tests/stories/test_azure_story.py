"""From nothing to a cluster with people on a local Azure, whose machines are real nodes; it grows
and shrinks, and every command line of the document on clusters on Azure is done in its order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support import azureguide, dockers
from tests.support.arm.estate import Estate, estate
from tests.support.arm.world import VM

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(2400)]

INSTALL = "./step_by_step.sh azure"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """A cluster, installed as the document says."""
    with estate(tmp_path_factory.mktemp("azure")) as found:
        found.run("./deploy.py bundle build --from debian")
        told = found.run(INSTALL, first="-y")
        assert "your cluster:" in told
        yield found


def test_machines_on_azure_are_a_cluster(made: Estate) -> None:
    assert made.ready() == ["atlas-infra01", "atlas-worker01"]
    rows = made.json("./az_tools.py list")
    assert [(row["name"], row["state"]) for row in rows] == [
        ("atlas-infra01", "running"), ("atlas-worker01", "running")]  # fmt: skip


def test_cloud_init_itself_has_done_what_the_custom_data_says(made: Estate) -> None:
    look = "cloud-init status --wait; cat /run/cloud-init/result.json; cat /etc/rack"
    told = made.on("atlas-worker01", look)
    assert "status: done" in told and "DataSourceNoCloud" in told and told.endswith("r7")
    made.on("atlas-worker01", "test -e /var/lib/made-by-cloud-init")
    made.on("atlas-infra01", "test ! -e /var/lib/made-by-cloud-init")
    for name in ("atlas-infra01", "atlas-worker01"):
        assert "passwordauthentication no" in made.on(name, "sshd -T | grep ^passwordauth")
        assert "dlwsadmin" in made.on(name, "grep -h Please /root/.ssh/authorized_keys")


def test_people_are_known_to_the_database(made: Estate) -> None:
    made.run("./deploy.py user add ada@example.org")
    made.run("./deploy.py vc assign platform ada@example.org")
    made.run("./deploy.py acl set user ada@example.org --vc platform")
    assert "ada@example.org" in made.run("./deploy.py user list --output json")
    assert "ada@example.org" in made.run("./deploy.py acl list --output json")


def test_every_line_of_the_document_is_done_in_its_order(made: Estate) -> None:
    with dockers.engine(f"--insecure-registry={registry(made)}") as host:
        there = replace(made, environment={**made.environment, "DOCKER_HOST": host})
        for line in azureguide.lines():
            if line.kind != "not" and line.text != INSTALL:  # that one was the first
                first = "--dry-run" if line.kind == "try" else ""
                there.run(line.text, stdin="exit\n", first=first)
    assert "nothing changed: all of it was in place" in made.run(INSTALL, first="-y")


def registry(made: Estate) -> str:
    """The cluster's own registry, by host and port."""
    return f"{made.nodes.sandbox.address(made.nodes.sandbox.node('atlas-infra01'))}:5443"


def test_it_grows_by_a_real_node_and_shrinks_again(made: Estate) -> None:
    made.run("./az_tools.py addworkers 1")
    assert made.ready() == ["atlas-infra01", "atlas-worker01", "atlas-worker02"]
    labels = made.run("./deploy.py kubectl get nodes -l worker=active -o name")
    assert "node/atlas-worker02" in labels
    made.run("./az_tools.py scaledown Standard_D4s_v5 atlas-worker02", stdin="atlas\n")
    assert made.ready() == ["atlas-infra01", "atlas-worker01"]
    assert "worker02" not in (made.directory / "cluster.yaml").read_text()
    left = {one["name"] for one in made.local.arm.world.resources.values()}
    assert not [name for name in left if "worker02" in name]


def test_a_stopped_worker_comes_back(made: Estate) -> None:
    made.run("./az_tools.py stop atlas-worker01")
    assert made.json("./az_tools.py list")[1]["state"] == "stopped"
    made.run("./az_tools.py start atlas-worker01")
    made.run("./deploy.py status --wait 180")
    assert made.on("atlas-worker01", "systemctl is-active kubelet") == "active"


def test_at_the_end_all_of_it_goes(made: Estate) -> None:
    made.run("./az_tools.py delete", code=4, stdin="another\n")
    assert len(made.local.arm.world.of(VM)) == 2
    made.run("./az_tools.py delete", stdin="atlas\n")
    assert not made.local.arm.world.resources and not made.nodes.sandbox.nodes
