"""The guide for machines of one's own, line by line, twice: a rehearsal of its sample, with Docker.

tests/support/seed001.txt has its command lines as they stand there (test_guide_lines.py compares).
"""

from __future__ import annotations

import json
import re
import ssl
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support import guide as guides
from tests.support.guide import Guide
from tests.support.sent import count, sent

CHANGED = re.compile(r"^(?:\S+: +)?changed: .*", re.MULTILINE)
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
    nodes = guide.data("./deploy.py kubectl get nodes -o json")["items"]
    runtimes = {
        node["metadata"]["name"]: node["status"]["nodeInfo"]["containerRuntimeVersion"]
        for node in nodes
    }
    assert sorted(runtimes) == sorted(guide.names)
    assert all(runtime.startswith("docker://") for runtime in runtimes.values()), runtimes
    assert not any(node["spec"].get("taints") for node in nodes), "uncordon: the master works, too"


def test_names_users_and_keys_are_on_every_node(guide: Guide) -> None:
    hosts = (guide.directory / "deploy/etc/hosts").read_text().splitlines()
    for name in guide.names:
        there = {tuple(one.split()) for one in guide.box.run(name, "cat /etc/hosts").splitlines()}
        assert {tuple(one.split()) for one in hosts if one} <= there
        assert "docker" in guide.box.run(name, "id -nG dlwsadmin").split()
        assert guide.box.run(name, "stat -c %a /root/.kube/config") == "600"
        assert "search clusters.example" in guide.box.run(
            name, "cat /etc/resolvconf/resolv.conf.d/base"
        )
        assert guide.box.run(name, "cat /etc/hostname-fqdn") == f"{name}.clusters.example"


def test_the_api_server_gives_the_node_ports_that_the_guide_edits_in(guide: Guide) -> None:
    manifest = guide.box.run("atlas02", "cat /etc/kubernetes/manifests/kube-apiserver.yaml")
    assert "- --service-node-port-range=30000-49999" in manifest


def test_the_share_is_one_file_system_on_all_nodes(guide: Guide) -> None:
    for name in guide.names:
        guide.box.run(name, f"echo {name} >/dlwsdata/work/{name}")
    listed = {guide.box.run(name, "cat /mntdlws/work/*") for name in guide.names}
    assert listed == {"\n".join(sorted(guide.names))}
    assert guide.box.run("atlas02", "cat /mnt/local/work/atlas-gpu01") == "atlas-gpu01"
    rows = guide.data("./deploy.py mount status --output json")
    standing_in = [row for row in rows if "a stand-in for atlas02:/mnt/local" in row["what"]]
    assert len(standing_in) == len(guide.names) + 1
    assert guide("./deploy.py mount").count("stands in for atlas02:/mnt/local (nfs)") == 1


def test_devices_are_offered(guide: Guide) -> None:
    found = {}
    for node in guide.data("./deploy.py kubectl get nodes -o json")["items"]:
        offered = node["status"]["allocatable"]
        found[node["metadata"]["name"]] = {k: v for k, v in offered.items() if "." in k}
    gpus = {name: one["nvidia.com/gpu"] for name, one in found.items() if "nvidia.com/gpu" in one}
    assert gpus == dict.fromkeys(guide.gpu_workers, "1")
    assert found["atlas01"]["huawei.com/Ascend910"] == "1"
    assert found["atlas02"]["huawei.com/Ascend910"] == "1"
    container = "docker run --rm --device=/dev/nvidia0 dlws/cuda nvidia-smi"
    for name in guide.gpu_workers:
        assert guide.box.run(name, container) == "/dev/nvidia0"


def test_images_for_arm64_are_beside_those_for_the_nodes(guide: Guide) -> None:
    """What this machine cannot build for is told by each line that asks for it (Guide.follow)."""
    names = "restfulapi2 openresty init-container watchdog gpu-reporter job-exporter repairmanager2"
    rows = guide.data(f"./deploy.py --archtype arm64 docker list --output json {names}")
    wanted = "yes" if guide.emulates else "no"
    assert {(row["architecture"], row["pushed"]) for row in rows} == {("arm64", wanted)}
    for row in rows if guide.emulates else ():
        about = f"docker image inspect --format '{{{{.Architecture}}}}' {row['reference']}"
        assert row["reference"].endswith("-arm64") and guide(about) == "arm64\n"
    own = guide.data(f"./deploy.py docker list --output json {names}")
    assert {row["pushed"] for row in own} == {"yes"}


STARTED = (
    "custom-user-dashboard", "custommetrics", "jobmanager2", "monitor", "mysql", "nginx",
    "openresty", "prometheus", "repairmanager2", "restfulapi2", "webui3",
    "a910-device-plugin", "nvidia-device-plugin",
)  # fmt: skip


def test_every_service_that_the_guide_starts_is_well(guide: Guide) -> None:
    rows = guide.data("./deploy.py kubernetes status --output json")
    states = {row["service"]: row["state"] for row in rows}
    assert {name: states.get(name) for name in STARTED} == dict.fromkeys(STARTED, "up")


def test_people_reach_what_the_guide_starts(guide: Guide) -> None:
    """By nginx, on every node that it runs on, with the certificate that `nginx config` made."""
    trust = ssl.create_default_context(cafile=str(guide.directory / "deploy/nginx/ca.crt"))

    def answer(path: str) -> str:
        url = f"https://{guide.address('atlas02')}{path}"
        with urllib.request.urlopen(url, context=trust, timeout=30) as page:
            return str(page.read().decode())

    assert "<title>" in answer("/") and "<title>" in answer("/monitor/")
    assert json.loads(answer("/apis/api/v1/openapi.json"))["openapi"]
    assert 'name="password"' in answer("/custom-user-dashboard/x")  # of the page for signing in
    assert json.loads(answer("/endpoints/x"))["part"] == "openresty"
    metrics = guide.data("./deploy.py kubectl get --raw /apis/custom.metrics.k8s.io/v1beta1")
    assert metrics["kind"] == "APIResourceList"


BY_NATURE = re.compile(r"execonall|runscripton(all|roles)")
"""Lines that run something on nodes each time: a person's own commands, and scripts that find out
there that nothing is to be done."""


def test_again_nothing_is_changed_and_it_says_so(guide: Guide) -> None:
    """All of it but what is typed on nodes: a person's own lines."""
    changed, commands = dict[str, list[str]](), dict[str, list[str]]()
    for where, line in guides.lines(guides.LINES.read_text()):
        if "./deploy.py" in line:
            before = count(guide.directory)
            changed[line] = CHANGED.findall(guide.follow(where, line))
            commands[line] = sent(guide.directory, before)
    assert {line: rows for line, rows in changed.items() if rows} == {}
    mutating = {line: rows for line, rows in commands.items() if rows}
    assert [line for line in mutating if not BY_NATURE.search(line)] == [], mutating
