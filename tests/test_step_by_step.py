"""The main job: ./step_by_step.sh sandbox, killed on its way, resumed, and run again."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dlws.sandbox import lifecycle
from tests.sandboxes import Made
from tests.verify.test_real import TREE

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]

ROOT = Path(__file__).parents[1]
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


def deploy(directory: Path, *words: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "deploy.py", "--dir", directory, *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
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


def test_again_nothing_is_changed_and_it_says_so(directory: Path) -> None:
    told = install(directory)
    assert "nothing changed: all of it was in place" in told
    assert not re.search(r"^(\S+: +)?changed: ", told, re.MULTILINE)
    assert "kubectl get nodes" in told


def trees(directory: Path) -> dict[str, list[str]]:
    """Every file of every node, less what Kubernetes writes by itself all the time."""
    made = Made(directory, lifecycle.of(directory))
    own = re.compile(r"^/var/lib/(etcd|kubelet)\b")
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


def test_a_pod_on_each_worker_answers_at_the_node_port_of_every_node(directory: Path) -> None:
    deploy(directory, "kubectl", "apply", "-f", "-", stdin=HELLO)
    deploy(directory, "kubectl", "rollout", "status", "daemonset/hello", "--timeout=120s")
    pods = deploy(directory, "kubectl", "get", "pods", "-l", "app=hello", "-o", "json")
    on = {pod["spec"]["nodeName"] for pod in json.loads(pods)["items"]}
    assert on == {"worker1", "worker2"}
    machines = yaml.safe_load((directory / "config.yaml").read_text())["machines"]
    for machine in machines.values():
        assert "pod=hello" in answered(f"http://{machine['private-ip']}:40080/")


def test_no_secret_of_the_installation_is_in_its_records(directory: Path) -> None:
    secrets = [(directory / "deploy/sshkey/rootpasswd").read_text().strip()]
    found = deploy(
        directory, "kubectl", "-n", "kube-system", "get", "secrets", "-o", "json",
        "--field-selector", "type=bootstrap.kubernetes.io/token",
    )  # fmt: skip
    for item in json.loads(found)["items"]:
        secrets.append(base64.b64decode(item["data"]["token-secret"]).decode())
    assert len(secrets) > 1, "the tokens of this run should still live"
    kept = "".join(
        path.read_text(errors="replace") for path in (directory / "deploy/runs").rglob("*.*")
    )
    assert kept
    for secret in secrets:
        assert secret not in kept
