"""The Kubernetes API from the devbox, with deploy/sshkey/admin.conf."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from dlws.core.errors import DeployError
from dlws.core.limits import API_BYTES, EVENT_BYTES
from dlws.core.program import PROGRAM
from dlws.kubernetes import kubeconfig
from dlws.kubernetes import tunnel as reach
from dlws.kubernetes.answers import has_expired, in_time, renewal
from dlws.nodes import endpoint

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster

T = TypeVar("T")
Patch = list[dict[str, Any]]
_NODES = "/api/v1/nodes"
_REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_TIMEOUT = 15
_AT_A_TIME = 16
_PIECE = 1024 * 1024
_LONGEST = 500
"""Characters of a text that a kubelet chose."""
WHOLE = 300.0
"""Seconds for all of an answer, however steadily it drips in."""
_REFUSING = 15.0
"""Seconds for the words of a refusal."""


@dataclass(frozen=True)
class KubeNode:
    """A node as the API server has it."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    cordoned: bool
    ready: bool
    message: str
    version: str
    pod_cidr: str = ""
    address: str = ""
    allocatable: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, item: object) -> KubeNode:
        """From the JSON of a Node object; DeployError where it is none.

        Its kubelet chose some of these texts: they come as one line each, so that a table of nodes
        keeps its rows.
        """
        from dlws.kubernetes import nodejson

        node = nodejson.parse(item)
        status, spec = node.status, node.spec
        addresses = [a.address for a in status.addresses or [] if a.type == "InternalIP"]
        ready = next((c for c in status.conditions or [] if c.type == "Ready"), None)
        return cls(
            name=node.metadata.name,
            labels=node.metadata.labels or {},
            taints=tuple(spec.taints or ()),
            cordoned=bool(spec.unschedulable),
            ready=bool(ready and ready.status == "True"),
            message=_one_line(ready.message or "") if ready else "",
            version=_one_line(status.nodeInfo.kubeletVersion),
            pod_cidr=spec.podCIDR or "",
            address=addresses[0] if addresses else "",
            allocatable=status.allocatable or {},
        )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]


class ApiRefused(DeployError):
    """The API server answered, and refused; `status` is that of HTTP."""

    def __init__(self, message: str, cure: str, status: int) -> None:
        super().__init__(message, cure)
        self.status = status


class Api:
    """The few calls that this tool makes, as raw JSON: the client's models refuse objects of
    releases whose fields they do not know, and take a second of processor time to load."""

    def __init__(self, client: Any, server: str) -> None:
        self._client, self._server = client, server

    def nodes(self) -> dict[str, KubeNode]:
        items = self.document(self.read(self.open("GET", _NODES))).get("items")
        found = map(KubeNode.of, items if isinstance(items, list) else [items])
        return {live.name: live for live in found}

    def patch(self, patches: Mapping[str, Patch]) -> None:
        """Change nodes: one JSON patch each, several at a time."""
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            places = [f"{_NODES}/{quote(name, safe='')}" for name in patches]
            list(pool.map(self._patch, places, patches.values()))

    def _patch(self, path: str, patch: Patch) -> None:
        body = json.dumps(patch).encode()
        self.read(self.open("PATCH", path, body, "application/json-patch+json"))

    def signing_requests(self, signer: str) -> list[dict[str, Any]]:
        """The requests for certificates that are for one signer."""
        asked = f"{_REQUESTS}?fieldSelector={quote(f'spec.signerName={signer}', safe='')}"
        return self.items(self.document(self.read(self.open("GET", asked))))

    def approve(self, request: Mapping[str, Any]) -> None:
        """Let a certificate be made; refused where the request has changed since it was read."""
        words = {"type": "Approved", "status": "True", "reason": "DlwsVerified"}
        about = request["metadata"]
        version = {"op": "test", "path": "/metadata/resourceVersion"}
        patch = [
            {**version, "value": about["resourceVersion"]},
            {"op": "add", "path": "/status/conditions", "value": [words]},
        ]
        self._patch(f"{_REQUESTS}/{quote(about['name'], safe='')}/approval", patch)

    def watch(self, seconds: float) -> Iterator[KubeNode]:
        """Nodes as they are, and again whenever one changes, for so many seconds."""
        path = f"{_NODES}?watch=true&timeoutSeconds={max(1, round(seconds))}"
        answer = self.open("GET", path, seconds=seconds + 5)
        try:
            for line in self.lines(answer):
                event = self.document(line)
                if event.get("type") in ("ADDED", "MODIFIED"):
                    yield KubeNode.of(event.get("object"))
        finally:
            answer.close()

    def open(
        self, method: str, path: str, body: bytes = b"", media: str = "", seconds: float = _TIMEOUT
    ) -> Any:
        """The answer to a request of any kind; its content is read by read() or lines()."""
        client = self._client
        headers = {"Accept": "application/json"} | ({"Content-Type": media} if media else {})
        for token in client.configuration.auth_settings().values():
            headers[token["key"]] = token["value"]
        return self._call(_open, client, (method, path), body or None, headers, seconds)

    def read(self, answer: Any, limit: int = API_BYTES, seconds: float = WHOLE) -> bytes:
        """All of an answer's content; DeployError where it has more than `limit` bytes, or does
        not come to its end in time."""
        found = bytearray()
        with in_time(answer, seconds, self._late(seconds)):
            while piece := self._call(answer.read, min(_PIECE, limit + 1 - len(found))):
                found += piece
                if len(found) > limit:
                    answer.close()
                    raise self.senseless()
        return bytes(found)

    def _late(self, seconds: float) -> DeployError:
        return DeployError(
            f"the API server at {self._server} did not come to the end of an answer in "
            f"{seconds:g} s",
            f"see how it does: {PROGRAM} status; then run this again",
        )

    def lines(self, answer: Any) -> Iterator[bytes]:
        """The lines of an answer as they arrive."""
        rest, pieces = b"", answer.stream(_PIECE)
        while (piece := self._call(next, pieces, None)) is not None:
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
            if len(rest) > EVENT_BYTES:
                raise self.senseless()

    def document(self, data: bytes) -> dict[str, Any]:
        """A JSON object that the API server sent."""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.senseless()
        return found

    def items(self, document: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The objects in a list that the API server sent; each has a name."""
        found = document.get("items") or []
        if not isinstance(found, list) or not all(map(is_object, found)):
            raise self.senseless()
        return found

    def senseless(self, why: str = "") -> DeployError:
        """What is raised where an answer is not what an API server's is."""
        words = "gave an answer that makes no sense"
        return DeployError(
            f"the API server at {self._server} {words}{f': {why}' if why else ''}",
            "see whether something else answers at that address",
        )

    def _call(self, function: Callable[..., T], *words: Any, **options: Any) -> T:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return function(*words, **options)
        except ApiException as error:
            says = f"the API server at {self._server} refused: {_reason(error)}"
            raise ApiRefused(says, _cure(error), error.status or 0) from error
        except (HTTPError, OSError) as error:
            raise _silent(self._server, error) from error


def is_object(value: object) -> bool:
    """Whether this is an object of Kubernetes, by its name."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return isinstance(metadata, dict) and isinstance(metadata.get("name"), str)


def _open(
    client: Any, where: tuple[str, str], body: bytes | None, headers: Any, seconds: float
) -> Any:
    """An answer whose content is not read yet; ApiException where it is a refusal."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    method, path = where
    answer = client.rest_client.pool_manager.request(
        method,
        client.configuration.host + path,
        body=body,
        headers=headers,
        timeout=seconds,
        preload_content=False,
    )
    if answer.status >= 400:
        refusal: Any = ApiException(answer.status, answer.reason)
        refusal.body = b""
        late = DeployError("")
        with contextlib.suppress(DeployError, HTTPError), in_time(answer, _REFUSING, late):
            refusal.body = answer.read(_PIECE)
        raise refusal
    return answer


def _reason(error: Any) -> str:
    """What the API server said; its answer is JSON with a message, where it is one."""
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        return f"{error.status} {json.loads(error.body)['message']}"
    return f"{error.status} {error.reason}"


def _cure(error: Any) -> str:
    if error.status in (401, 403):
        return f"deploy/sshkey/admin.conf may be of another cluster; run: {PROGRAM} kubeadm init"
    return ""


def _silent(server: str, error: Exception) -> DeployError:
    cause = str(getattr(error, "reason", None) or error)
    if has_expired(cause):
        return DeployError(
            f"the API server at {server} answers, and its certificate has expired", renewal()
        )
    return DeployError(
        f"the API server at {server} does not answer: {cause}",
        f"see what is wrong with: {PROGRAM} status",
    )


@contextlib.contextmanager
def connect(cluster: Cluster) -> Iterator[Api]:
    """The cluster's API, directly where the devbox reaches it, else through an infra node's SSH."""
    from kubernetes.client import ApiClient

    credentials = kubeconfig.credentials(cluster)
    tunnel = None
    server = reach.direct(cluster)
    if not server:
        tunnel = _tunnel(cluster)
        server = tunnel.url
    settings = kubeconfig.client_settings(
        credentials.kubeconfig(cluster.config.cluster_name, server)
    )
    settings.connection_pool_maxsize = _AT_A_TIME
    client: Any = ApiClient(settings)
    try:
        yield Api(client, server)
    finally:
        client.close()
        if tunnel:
            tunnel.close()


def _tunnel(cluster: Cluster) -> reach.Tunnel:
    """A way through the first infra node that lets us in and whose API server takes connections."""
    from dlws.ssh.client import Ssh

    port, says = cluster.config.kubernetes.api_port, []
    for node in cluster.infra:
        if not isinstance(node.connection, Ssh):
            continue
        address = endpoint.inner_address(node)
        try:
            node.connection.forward(address, port).close()
        except DeployError as error:
            says.append(f"{node.name}: {error.message}")
        else:
            return reach.Tunnel(node.connection, address, port)
    raise DeployError(
        "\n  ".join(["no API server of the cluster can be reached", *says]),
        f"see what is wrong with: {PROGRAM} status",
    )


def label_patch(live: Mapping[str, str], wanted: Mapping[str, str | None]) -> Patch:
    """The JSON patch from the labels a node has to those wanted (None: not there)."""
    patch: Patch = []
    for name, value in sorted(wanted.items()):
        path = "/metadata/labels/" + name.replace("~", "~0").replace("/", "~1")
        if value is None and name in live:
            patch.append({"op": "remove", "path": path})
        elif value is not None and live.get(name) != value:
            patch.append({"op": "add", "path": path, "value": value})
    return [*_first_labels(), *patch] if patch and not live else patch


def _first_labels() -> Patch:
    """For a node without any, which has no place for them; refused where one came meanwhile."""
    place = {"path": "/metadata/labels"}
    return [{"op": "test", "value": None, **place}, {"op": "add", "value": {}, **place}]


def cordon_patch(live: KubeNode, cordoned: bool) -> Patch:
    if live.cordoned == cordoned:
        return []
    return [{"op": "add", "path": "/spec/unschedulable", "value": cordoned}]


def taint_patch(live: KubeNode, without: Iterable[str]) -> Patch:
    """The patch that takes these taints away; it fails if somebody else changed them meanwhile."""
    kept = [dict(taint) for taint in live.taints if taint["key"] not in set(without)]
    if len(kept) == len(live.taints):
        return []
    old = [dict(taint) for taint in live.taints]
    return [
        {"op": "test", "path": "/spec/taints", "value": old},
        {"op": "replace", "path": "/spec/taints", "value": kept},
    ]


def taints_patch(live: KubeNode, names: Iterable[str]) -> Patch:
    """The patch that gives a node these taints, with the effect NoSchedule; the others stay."""
    wanted = [{"key": name, "effect": "NoSchedule"} for name in names]
    keys = {taint["key"] for taint in wanted}
    kept = [dict(taint) for taint in live.taints if taint["key"] not in keys]
    have = [(taint["key"], taint["effect"]) for taint in live.taints if taint["key"] in keys]
    if sorted(have) == sorted((taint["key"], taint["effect"]) for taint in wanted):
        return []
    test: Patch = [{"op": "test", "path": "/spec/taints", "value": [dict(t) for t in live.taints]}]
    return [
        *(test if live.taints else []),
        {"op": "add", "path": "/spec/taints", "value": [*kept, *wanted]},
    ]
