"""The guide for machines of one's own, line by line, twice: a rehearsal of its sample, with Docker.

tests/support/seed001.txt has its command lines as they stand there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support import guide as guides
from tests.support.guide import Guide

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guide]:
    """Its machines after the whole guide."""
    with guides.rehearsal(tmp_path_factory.mktemp("guide")) as made:
        for where, line in guides.lines(guides.LINES.read_text()):
            made.follow(where, line)
        yield made


def test_the_nodes_are_ready_with_docker_as_their_runtime(guide: Guide) -> None:
    guide("./deploy.py status --wait 180")
    nodes = json.loads(guide("./deploy.py kubectl get nodes -o json"))["items"]
    runtimes = {
        node["metadata"]["name"]: node["status"]["nodeInfo"]["containerRuntimeVersion"]
        for node in nodes
    }
    assert sorted(runtimes) == sorted(guide.names)
    assert all(runtime.startswith("docker://") for runtime in runtimes.values()), runtimes


def test_names_users_and_keys_are_on_every_node(guide: Guide) -> None:
    for name in guide.names:
        assert guide.box.run(name, "cat /etc/hosts") == (
            (guide.directory / "deploy/etc/hosts").read_text().strip()
        )
        assert "docker" in guide.box.run(name, "id -nG dlwsadmin").split()
        assert guide.box.run(name, "stat -c %a /root/.kube/config") == "600"
        assert "search clusters.example" in guide.box.run(
            name, "cat /etc/resolvconf/resolv.conf.d/base"
        )


def test_the_share_is_one_file_system_on_all_nodes(guide: Guide) -> None:
    for name in guide.names:
        guide.box.run(name, f"echo {name} >/dlwsdata/work/{name}")
    listed = {guide.box.run(name, "cat /mntdlws/work/*") for name in guide.names}
    assert listed == {"\n".join(sorted(guide.names))}
    assert guide.box.run("atlas02", "cat /mnt/local/work/atlas01") == "atlas01"
    shown = guide("./deploy.py mount status")
    assert shown.count("a stand-in for atlas02:/mnt/local") == len(guide.names) + 1
    assert guide("./deploy.py mount").count("stands in for atlas02:/mnt/local (nfs)") == 1


def test_devices_are_offered(guide: Guide) -> None:
    found = {}
    for node in json.loads(guide("./deploy.py kubectl get nodes -o json"))["items"]:
        offered = node["status"]["allocatable"]
        found[node["metadata"]["name"]] = {k: v for k, v in offered.items() if "." in k}
    assert found["atlas-gpu01"]["nvidia.com/gpu"] == "1"
    assert found["atlas01"]["huawei.com/Ascend910"] == "1"
