"""The main job: ./step_by_step.sh sandbox, killed on its way, resumed, and run again."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dlws.install.people import PASSWORD
from dlws.sandbox import lifecycle
from tests.support import ROOT, forkserver
from tests.support.platform import story, trouble
from tests.support.sandboxes import Made
from tests.support.sent import count, sent
from tests.support.trees import TREE
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]

HELLO = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: hello}
spec:
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      containers: [{name: hello, image: "dlws/hello:1", imagePullPolicy: IfNotPresent}]
---
apiVersion: v1
kind: Service
metadata: {name: hello}
spec: {type: NodePort, selector: {app: hello}, ports: [{port: 8080, nodePort: 40080}]}
"""


def deploy(directory: Path, *words: str, stdin: str = "", code: int = 0) -> str:
    done = forkserver.run(["--dir", str(directory), *words], stdin, os.environ)
    told = f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == code, told
    return done.stdout + done.stderr


def install(directory: Path) -> str:
    done = subprocess.run(
        [ROOT / "step_by_step.sh", "sandbox", "--dir", directory],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    return told


def killed_in(directory: Path, words: str) -> None:
    """Start the installation, and kill it with all its processes when it says `words`."""
    with subprocess.Popen(
        [ROOT / "step_by_step.sh", "sandbox", "--dir", directory],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr
        told = []
        for line in process.stderr:
            told.append(line)
            if words in line:
                os.killpg(process.pid, signal.SIGKILL)
                break
        assert words in told[-1], "".join(told)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("step by step")  # with spaces: paths are data, too
    try:
        killed_in(made, "install_kubeadm.sh")
        deploy(made, "resume")
        yield made
    finally:
        deploy(made, "sandbox", "down")


def answered(url: str, seconds: float = 180) -> str:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def test_a_killed_installation_is_resumed_to_its_end(directory: Path) -> None:
    report = json.loads(deploy(directory, "status", "--output", "json"))
    assert report["healthy"] is True
    assert [row["kubernetes"] for row in report["nodes"]] == ["Ready v1.20.2"] * 3


def test_the_database_answers_with_the_generated_password_and_keeps_its_data(
    directory: Path,
) -> None:
    assert deploy(directory, "db", "connect", stdin="SELECT 1 + 1 AS two").split()[-1] == "2"
    deploy(directory, "user", "add", "ada@example.org")
    deploy(directory, "kubernetes", "stop", "mysql")
    assert "Unreachable" not in deploy(directory, "kubernetes", "start", "mysql")
    assert "ada@example.org" in deploy(directory, "user", "list", "--output", "json")
    assert "is complete" in deploy(directory, "db", "init")


def test_prometheus_has_targets_that_are_up_and_nginx_shows_them_over_tls(
    directory: Path,
) -> None:
    machines = yaml.safe_load((directory / "config.yaml").read_text())["machines"]
    places = [machine["private-ip"] for machine in machines.values()]
    trust = ssl.create_default_context(cafile=str(directory / "deploy/nginx/ca.crt"))
    for place in places:
        with urllib.request.urlopen(f"https://{place}/monitor/", context=trust) as page:
            assert b"<title>" in page.read()
    wanted = {(job, name) for job in ("node", "pods") for name in machines}
    wait_until(lambda: wanted <= up_targets(places[0], trust), 120)


def up_targets(place: str, trust: ssl.SSLContext) -> set[tuple[str, str]]:
    """The jobs and instances that Prometheus could ask, by nginx."""
    url = f"https://{place}/prometheus/api/v1/targets"
    with urllib.request.urlopen(url, context=trust) as answer:
        rows = json.loads(answer.read())["data"]["activeTargets"]
    return {
        (row["labels"]["job"], row["labels"]["instance"]) for row in rows if row["health"] == "up"
    }


def test_it_ends_with_a_job_that_has_run_as_the_first_administrator(directory: Path) -> None:
    site = story.Site(directory)
    password = directory / PASSWORD
    assert password.stat().st_mode & 0o777 == 0o600
    runs = [path.read_text(errors="replace") for path in (directory / "deploy/runs").rglob("*.*")]
    assert any("ran the job first-job" in text for text in runs)
    shown = "cd /mntdlws/share; stat -c '%u %a' work/admin; cat jobfiles/*/*/hello"
    assert site.made.run("infra1", shown).split() == ["20001", "700", "hello"]
    # What it printed is kept for the API alone.
    place = "/mntdlws/share/joblogs"
    wait_until(lambda: "runs on" in site.made.run("infra1", f"cat {place}/*/*.log || true"), 60)
    modes = site.made.run("infra1", f"stat -c '%a %u %g' {place}/*/*.log").split("\n")
    assert set(modes) == {"640 0 65532"}


@pytest.fixture(scope="module")
def ada_and_bob(
    directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[story.Person, story.Person]]:
    both = story.people(story.Site(directory), tmp_path_factory.mktemp("people"))
    yield both
    for person in both:
        person.leave()


def test_people_submit_jobs(ada_and_bob: tuple[story.Person, story.Person]) -> None:
    ada, bob = ada_and_bob
    story.jobs_run_and_wait(ada)
    story.what_a_stopped_job_printed_is_kept(ada)
    story.two_nodes_share_a_persons_files(ada)
    story.people_are_apart(ada, bob)


def test_people_use_the_portal_in_a_browser(
    ada_and_bob: tuple[story.Person, story.Person], tmp_path: Path
) -> None:
    story.in_a_browser(ada_and_bob[0], tmp_path)


def test_again_nothing_is_changed_and_it_says_so(directory: Path) -> None:
    before = count(directory)
    told = install(directory)
    assert "nothing changed: all of it was in place" in told
    mutating = {line.partition(": ")[2] for line in sent(directory, before)}
    # Each of these scripts finds out on its node that nothing is to be done.
    assert all(re.fullmatch(r"run \w+\.sh", title) for title in mutating), mutating
    assert not re.search(r"^(\S+: +)?changed: ", told, re.MULTILINE)
    assert "kubectl get nodes" in told
    where = told.split("where it answers:\n")[1]
    addresses = dict(line.split(maxsplit=1) for line in where.splitlines()[:5])
    assert list(addresses) == ["mysql", "nginx", "prometheus", "webui3", "registry"]
    assert "to submit jobs:" in told and f"  {addresses['webui3']}   (the portal" in told
    assert answered(f"{addresses['prometheus'].split()[0]}/-/healthy", 10)


def trees(directory: Path) -> dict[str, list[str]]:
    """Every file of every node, less what Kubernetes, GlusterFS and services write: in /tmp, which
    is another file system, runc has a file for each probe that runs a command."""
    made = Made(directory, lifecycle.sandbox_of(directory))
    state = "cni|etcd|kubelet|mysql|glusterd|dlws/bricks"
    own = re.compile(rf"^/(var/lib/({state})|data/prometheus|tmp)\b")
    return {
        node.name: [line for line in made.run(node.name, TREE).splitlines() if not own.match(line)]
        for node in made.sandbox.nodes
    }


def test_planning_writes_nothing_on_any_node(directory: Path) -> None:
    before = trees(directory)
    told = deploy(directory, "plan", "up", "sandbox")
    assert "nothing would be changed; 18 runs of scripts that would find nothing to do" in told
    told = deploy(directory, "plan", "kubeadm", "reset", "worker1", "--yes-reset", "sandbox")
    assert "worker1: would run: kubeadm reset" in told
    assert trees(directory) == before


def test_nodes_are_labelled_as_configured(directory: Path) -> None:
    told = deploy(directory, "kubectl", "get", "nodes", "-l", "worker=active", "-o", "name")
    assert told.split() == ["node/worker1", "node/worker2"]


def test_jobs_see_one_file_system_on_every_node(directory: Path) -> None:
    made = Made(directory, lifecycle.sandbox_of(directory))
    made.run("worker1", "echo hello >/dlwsdata/work/f")
    look = "cat /dlwsdata/work/f && findmnt -n -o FSTYPE -T /dlwsdata/work/"
    seen = {made.run(node.name, look) for node in made.sandbox.nodes}
    assert seen == {"hello\nfuse.glusterfs"}
    rows = json.loads(deploy(directory, "mount", "status", "--output", "json"))
    assert [row["state"] for row in rows] == ["mounted"] * 3


def test_a_pod_on_each_worker_answers_at_the_node_port_of_every_node(directory: Path) -> None:
    deploy(directory, "kubectl", "apply", "-f", "-", stdin=HELLO)
    deploy(directory, "kubectl", "rollout", "status", "daemonset/hello", "--timeout=120s")
    pods = deploy(directory, "kubectl", "get", "pods", "-l", "app=hello", "-o", "json")
    on = {pod["spec"]["nodeName"] for pod in json.loads(pods)["items"]}
    assert on == {"worker1", "worker2"}
    machines = yaml.safe_load((directory / "config.yaml").read_text())["machines"]
    for machine in machines.values():
        assert "pod=hello" in answered(f"http://{machine['private-ip']}:40080/")


def test_workers_of_a_job_find_each_other_by_the_clusters_dns(
    ada_and_bob: tuple[story.Person, story.Person],
) -> None:
    trouble.workers_find_each_other(ada_and_bob[0])


@pytest.mark.parametrize(
    ("seconds", "programs"),
    [
        (25, (trouble.DATABASE, trouble.KUBERNETES)),  # longer than the API waits for an answer
        pytest.param(60, (trouble.DATABASE,), marks=pytest.mark.long),
        pytest.param(60, (trouble.KUBERNETES,), marks=pytest.mark.long),
        pytest.param(60, (trouble.DATABASE, trouble.KUBERNETES), marks=pytest.mark.long),
    ],
)
def test_no_job_is_lost_while_database_and_kubernetes_are_silent(
    ada_and_bob: tuple[story.Person, story.Person], seconds: int, programs: tuple[str, ...]
) -> None:
    trouble.nothing_is_lost_while_away(ada_and_bob[0], seconds, *programs)


def test_a_gang_is_tried_again_once_when_a_node_starts_anew(
    ada_and_bob: tuple[story.Person, story.Person],
) -> None:
    trouble.a_node_starts_anew(ada_and_bob[0])


@pytest.mark.long
@pytest.mark.parametrize(("fault", "cure"), [("freeze", "thaw"), ("cut", "heal")])
def test_a_gang_is_tried_again_once_after_a_silent_node_is_back(
    ada_and_bob: tuple[story.Person, story.Person], fault: str, cure: str
) -> None:
    trouble.a_node_is_silent(ada_and_bob[0], fault, cure)


def test_no_secret_of_the_installation_is_in_its_records(directory: Path) -> None:
    kept_in = ("deploy/sshkey/rootpasswd", "deploy/mysql/password", PASSWORD,
               "deploy/dashboard/admin.token")  # fmt: skip
    secrets = [(directory / name).read_text().strip() for name in kept_in]
    sealed = yaml.safe_load((directory / "deploy/sshkey/encryption.yaml").read_text())
    (key,) = sealed["resources"][0]["providers"][0]["secretbox"]["keys"]
    secrets += [key["secret"], base64.b64decode(key["secret"]).hex()]
    left = deploy(
        directory, "kubectl", "-n", "kube-system", "get", "secrets", "-o", "name",
        "--field-selector", "type=bootstrap.kubernetes.io/token",
    )  # fmt: skip
    assert "secret/" not in left, "no token outlives its run"
    kept = "".join(
        path.read_text(errors="replace") for path in (directory / "deploy/runs").rglob("*.*")
    )
    assert kept
    for secret in secrets:
        assert secret not in kept
    assert not re.search(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", kept), "this looks like a token"


def healthy(directory: Path, *words: str) -> list[str]:
    """The nodes that `status` finds Ready."""
    report = json.loads(deploy(directory, *words, "status", "--output", "json"))
    return [row["node"] for row in report["nodes"] if row["kubernetes"] == "Ready v1.20.2"]


@pytest.mark.parametrize(
    "way", ["resume", pytest.param("the line that is told", marks=pytest.mark.long)]
)
def test_a_worker_cut_off_in_mid_run_is_set_aside_and_brought_in_later(
    directory: Path, way: str
) -> None:
    config = directory / "config.yaml"
    name = yaml.safe_load(config.read_text())["cluster_name"]
    if "keepalive" not in config.read_text():  # to miss it within seconds
        config.write_text(f"{config.read_text()}ssh: {{keepalive: 2}}\n")
    deploy(directory, "kubeadm", "reset", "worker2", "--yes-reset", name)
    hook = directory / "hooks/before-join"
    hook.parent.mkdir(exist_ok=True)
    cut = shlex.join([sys.executable, str(ROOT / "deploy.py"), "--dir", str(directory)])
    hook.write_text(f"#!/bin/sh\n{cut} sandbox cut worker2\n")
    hook.chmod(0o755)
    told = deploy(directory, "up", "sandbox", code=3)
    assert "without 1 node: worker2\n  quarantined in step join:" in told
    assert healthy(directory, "--nodes", "infra1,worker1") == ["infra1", "worker1"]
    hook.unlink()
    deploy(directory, "sandbox", "heal", "worker2")
    line = shlex.split(told.split("retry just those: ")[1].splitlines()[0])
    deploy(directory, *(["resume"] if way == "resume" else line[1:]))
    assert healthy(directory) == ["infra1", "worker1", "worker2"]
