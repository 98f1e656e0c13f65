"""The life of a service that is nothing but files in a cluster's directory, on a real cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from dlws.core.connection import Result
from dlws.kubernetes.api import Api
from dlws.runs.options import Options
from dlws.services.start import start
from dlws.session import Session

NODE_PORT = 40081
BASE = """
apiVersion: v1
kind: Namespace
metadata: {name: toys}
"""
TOY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: toy}
spec:
  replicas: {{ nodes | selectattr("is_worker") | list | length }}
  selector: {matchLabels: {app: toy}}
  template:
    metadata: {labels: {app: toy}}
    spec:
      nodeSelector: {WANTS: active}
      containers:
        - name: toy
          image: "IMAGE"
          imagePullPolicy: IfNotPresent
          env: [{name: PORT, value: "PORTNUMBER"}, {name: NODE_NAME, value: "VALUE"}]
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
          resources:
            requests: {cpu: "REQUEST", memory: 8Mi}
            limits: {cpu: "REQUEST", memory: 32Mi}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: toy}
spec: {type: NodePort, selector: {app: toy}, ports: [{port: 80, targetPort: 8080, nodePort: 40081}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME}
data: {a: b}
"""
USUAL = {"WANTS": "worker", "IMAGE": "dlws/hello:1", "PORTNUMBER": "8080", "VALUE": "one",
         "REQUEST": "10m", "NAME": "settings"}  # fmt: skip
IN_TOYS = ("-n", "toys")


class Cluster(Protocol):
    """A cluster that is driven as people do."""

    directory: Path

    def __call__(self, *words: str, code: int | None = 0, stdin: str = "") -> Result: ...

    def kubectl(self, *words: str, stdin: str = "") -> str: ...


def write(real: Cluster, **changes: str) -> None:
    """The files of both services; `toy` needs the one with the namespace."""
    text = TOY
    for word, value in {**USUAL, **changes}.items():
        text = text.replace(word, value)
    services = real.directory / "templates/services"
    files = {
        "toy-base/namespace.yaml": BASE,
        "toy/service.yaml": "needs: [toy-base]\naliases: [oldtoy]\nnamespace: toys\n",
        "toy/toy.yaml.j2": text,
    }
    for name, content in files.items():
        (services / name).parent.mkdir(parents=True, exist_ok=True)
        (services / name).write_text(content)


@contextmanager
def spied() -> Iterator[list[tuple[str, str]]]:
    """What is asked of the API server meanwhile: method and path."""
    asked: list[tuple[str, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        ask = Api.open

        def spy(self: Api, method: str, path: str, *rest: Any, **more: Any) -> Any:
            asked.append((method, path))
            return ask(self, method, path, *rest, **more)

        patch.setattr(Api, "open", spy)
        yield asked


FILLED_IN = """
mysql_password: secret of the database
dockers: {hub: registry.example.org/dlws/, tag: "1.9"}
"""


def ours_are_what_the_api_server_takes(real: Cluster) -> None:
    """Those that come with dlws, on the oldest Kubernetes that tests have."""
    config = real.directory / "config.yaml"
    before = config.read_text()
    config.write_text(before + FILLED_IN)
    try:
        real("webui")
        shown = real("kubernetes", "render").text.replace("(secret)", "c2VjcmV0")
        told = real.kubectl("apply", "--dry-run=server", "-f", "-", stdin=shown)
    finally:
        config.write_text(before)
    assert told.count("(server dry run)") == shown.count("\n---\n") + 1


def starts(real: Cluster) -> None:
    write(real)
    assert b"nosuch" in real("kubernetes", "start", "nosuch", code=2).err
    told = real("kubernetes", "start", "oldtoy").err.decode()
    assert "toy-base: created Namespace toys" in told
    shown = json.loads(real("kubernetes", "status", "toy", "--output", "json").out)
    assert [(row["state"], row["ready"]) for row in shown] == [("up", 2)]
    assert shown[0]["answers"][0].endswith(f":{NODE_PORT}")


def starts_again(real: Cluster) -> None:
    cluster = Session(Options(directory=real.directory)).cluster
    with spied() as asked:
        start(cluster, ["toy"], 60)
    cluster.close()
    assert {method for method, _ in asked} == {"GET"}
    assert len(asked) <= len(("Namespace", "Deployment", "Service", "ConfigMap"))


def pods(real: Cluster) -> set[str]:
    """The pods of the service that are not about to end."""
    words = ("get", "pods", *IN_TOYS, "-l", "app=toy", "-o", "json")
    found = [one["metadata"] for one in json.loads(real.kubectl(*words))["items"]]
    return {one["uid"] for one in found if "deletionTimestamp" not in one}


def rolls(real: Cluster) -> None:
    before = pods(real)
    write(real, VALUE="two")
    assert "toy: configured Deployment toys/toy" in real("kubernetes", "start", "toy").err.decode()
    after = pods(real)
    assert len(after) == len(before) and not before & after


def is_scaled_back(real: Cluster) -> None:
    real.kubectl("scale", *IN_TOYS, "deployment/toy", "--replicas=1")
    assert "not as its manifests say" in real("kubernetes", "status", "toy", code=5).text
    assert "configured Deployment" in real("kubernetes", "start", "toy").err.decode()


def prunes_its_own_alone(real: Cluster) -> None:
    real.kubectl("create", "configmap", "foreign", *IN_TOYS, "--from-literal=a=b")
    real.kubectl("label", "configmap", "foreign", *IN_TOYS, "dlws.io/service=toy")
    write(real, VALUE="two", NAME="others")
    assert "deleted ConfigMap toys/settings" in real("kubernetes", "start", "toy").err.decode()
    names = real.kubectl("get", "configmaps", *IN_TOYS, "-o", "name")
    assert "configmap/others" in names and "configmap/foreign" in names
    assert "settings" not in names


def _complaint(real: Cluster, **changes: str) -> str:
    write(real, NAME="others", **changes)
    return real("kubernetes", "start", "toy", "--timeout", "15", code=1).err.decode()


def says_what_cannot_be_pulled(real: Cluster) -> None:
    told = _complaint(real, IMAGE="127.0.0.1:9/none:1")
    assert "image 127.0.0.1:9/none:1 cannot be pulled: " in told
    assert "connection refused" in told


def says_that_no_node_fits(real: Cluster) -> None:
    told = _complaint(real, WANTS="no-such-label")
    assert "no node fits: 0/" in told and "it wants no-such-label=active" in told
    assert "Insufficient cpu" in _complaint(real, REQUEST="999")


def says_the_last_lines_of_a_crash(real: Cluster) -> None:
    told = _complaint(real, PORTNUMBER="999999")
    assert "container toy crashed with exit code 1" in told
    assert "invalid port" in told


def restarts(real: Cluster) -> None:
    write(real, NAME="others")
    real("kubernetes", "start", "toy")
    assert "restarted Deployment toys/toy" in real("kubernetes", "restart", "toy").err.decode()
    assert "nothing to do" in real("kubernetes", "start", "toy").err.decode()


def stops(real: Cluster) -> None:
    told = real("kubernetes", "stop", "toy", "toy-base").err.decode()
    order = [line.split()[-1] for line in told.splitlines() if "deleted" in line]
    assert order == ["toys/toy", "toys/toy", "toys/others"]  # Deployment, Service, ConfigMap
    assert "Namespace toys is kept" in told
    words = ("kubernetes", "stop", "toy-base", "--delete-data", "--yes-delete-data")
    assert "nothing was changed" in real(*words, "other", code=4).err.decode()
    real(*words, "sandbox")
    assert "toys" not in real.kubectl("get", "namespaces", "--field-selector=status.phase=Active")


LIFE = (ours_are_what_the_api_server_takes, starts, starts_again, rolls, is_scaled_back,
        prunes_its_own_alone, says_what_cannot_be_pulled, says_that_no_node_fits,
        says_the_last_lines_of_a_crash, restarts, stops)  # fmt: skip
"""Its stages, in order."""
