"""The Secret `regcred`: by it Kubernetes pulls images of registries that want a login."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.kubernetes import objects
from dlws.nodes.credentials import Credential, credentials
from dlws.registry.credentials import docker_config
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.kubernetes.objects import Objects
    from dlws.nodes.cluster import Cluster

NAME = "regcred"
NAMESPACES = ("default", "kube-system")
_KEY = ".dockerconfigjson"
_TYPE = "kubernetes.io/dockerconfigjson"


def manifest(namespace: str, known: Mapping[str, Credential]) -> dict[str, Any]:
    """The Secret of a namespace."""
    content = base64.b64encode(docker_config(known).encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": NAME,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "dlws"},
        },
        "type": _TYPE,
        "data": {_KEY: content},
    }


def bring(cluster: Cluster, namespaces: Sequence[str] = ()) -> None:
    """Give namespaces the credentials of config.yaml, by the API alone."""
    known, console = credentials(cluster), cluster.run.console
    if not known:
        console.say("nothing to do: registry_credential in config.yaml has no user with a password")
        return
    wanted = tuple(dict.fromkeys(namespaces or NAMESPACES))
    with objects.connect(cluster) as api:
        changed = [one for one in wanted if _bring(cluster, api, one, known)]
    if not changed and not cluster.run.dry_run:
        console.say(f"nothing to do: the Secret {NAME} is as it should be in {', '.join(wanted)}")


def _bring(cluster: Cluster, api: Objects, namespace: str, known: Mapping[str, Credential]) -> bool:
    """Apply the Secret of a namespace where it differs; whether that changed anything."""
    place, body = f"/api/v1/namespaces/{namespace}", manifest(namespace, known)
    path = f"{place}/secrets/{NAME}"
    live = api.get(path)
    if live and (live.get("type"), live.get("data")) == (body["type"], body["data"]):
        return False
    if live is None and api.get(place) is None:
        raise DeployError(
            f"there is no namespace {namespace}",
            f"make it: {PROGRAM} kubectl create namespace {namespace}",
        )
    if live and live.get("type") != _TYPE:
        raise DeployError(
            f"the Secret {NAME} in {namespace} is of another type ({live.get('type')})",
            f"remove it: {PROGRAM} kubectl -n {namespace} delete secret {NAME}",
        )
    if not cluster.run.gate.admit(plan.patch(plan.HERE, f"apply Secret {namespace}/{NAME}", body)):
        return True
    cluster.run.journal(changes_node=True)
    api.apply(path, body)
    verb = "configured" if live else "created"
    cluster.run.console.changed(f"{verb} Secret {namespace}/{NAME}")
    return True
