"""A real API server of Kubernetes by itself, from the bundle: nobody acts on its objects, unless
`placing` has pods of DaemonSets made and bound to nodes."""

from __future__ import annotations

import base64
import json
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any

import yaml

from tests.support.dockers import running
from tests.support.sshd import free_port

ADDRESS = "127.9.0.1"
_CERTIFICATES = f"""
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -keyout ca.key -out ca.crt -days 2
issue() {{ # NAME SUBJECT EXTENSION
    openssl req -newkey rsa:2048 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr"
    echo "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \\
        -extfile "$1.ext" -out "$1.crt"
}}
issue server /CN=server subjectAltName=IP:{ADDRESS},DNS:kubernetes
issue admin /O=system:masters/CN=admin extendedKeyUsage=clientAuth
"""
_AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
          "rules": [{"level": "Metadata"}]}  # fmt: skip


@dataclass(frozen=True)
class ApiServer:
    """Where it answers, and the directory of its files."""

    port: int
    place: Path

    @property
    def admin_conf(self) -> str:
        """A kubeconfig of its administrator, as kubeadm writes one."""

        def data(name: str) -> str:
            return base64.b64encode((self.place / name).read_bytes()).decode()

        user = {"client-certificate-data": data("admin.crt"), "client-key-data": data("admin.key")}
        cluster = {"certificate-authority-data": data("ca.crt"),
                   "server": f"https://{ADDRESS}:{self.port}"}  # fmt: skip
        return yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "x", "cluster": cluster}],
            "users": [{"name": "x", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        })  # fmt: skip

    @cached_property
    def _trust(self) -> SSLContext:
        found = create_default_context(cafile=str(self.place / "ca.crt"))
        found.load_cert_chain(self.place / "admin.crt", self.place / "admin.key")
        return found

    def __call__(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """What it answers as JSON; a body is sent to be made, unless the method is another."""
        data = json.dumps(body).encode() if body else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(
            f"https://{ADDRESS}:{self.port}{path}", data=data, headers=headers, method=method
        )
        with urllib.request.urlopen(request, context=self._trust, timeout=30) as answer:
            return json.loads(answer.read())

    def asked(self, verb: str, resource: str) -> int:
        """How many requests it has had, by its own audit log."""
        rows = map(json.loads, (self.place / "audit.log").read_text().splitlines())
        return sum(
            (row["verb"], row.get("objectRef", {}).get("resource")) == (verb, resource)
            for row in rows
        )

    def ready(self) -> bool:
        try:
            return bool(self("/api/v1/namespaces/kube-system"))
        except (OSError, urllib.error.HTTPError, json.JSONDecodeError):
            return False


@contextmanager
def serving(bundle: Path, place: Path) -> Iterator[ApiServer]:
    """One that is ready, from a bundle's folder for this architecture; `place` is empty."""
    for name in ("etcd", "kube-apiserver"):
        _unpack(next((bundle / "images").glob(f"{name}_*.tar")), place)
    line = ["bash", "-euc", _CERTIFICATES]
    subprocess.run(line, cwd=place, check=True, capture_output=True)
    (place / "audit.yaml").write_text(yaml.safe_dump(_AUDIT))
    found, store = ApiServer(free_port(), place), f"http://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        for name, words, ready in (
            ("etcd", _etcd(place, store), lambda: _answers(f"{store}/health")),
            ("apiserver", _api_server(found, store), found.ready),
        ):
            stack.enter_context(running(words, place / f"{name}.log", ready))
        yield found


@contextmanager
def placing(bundle: Path, found: ApiServer) -> Iterator[None]:
    """With the scheduler, and the controller of DaemonSets: there is no kubelet, and none is
    needed for pods to be bound."""
    conf = found.place / "admin.conf"
    conf.write_text(found.admin_conf)
    more = {
        "kube-scheduler": [],
        "kube-controller-manager": ["--controllers=daemonset,serviceaccount"],
    }
    with ExitStack() as stack:
        for name, words in more.items():
            _unpack(next((bundle / "images").glob(f"{name}_*.tar")), found.place)
            line = [f"{found.place}/usr/local/bin/{name}", f"--kubeconfig={conf}", *words,
                    "--leader-elect=false", "--port=0", f"--secure-port={free_port()}",
                    "--bind-address=127.0.0.1", f"--cert-dir={found.place}"]  # fmt: skip
            stack.enter_context(running(line, found.place / f"{name}.log", lambda: True))
        yield


def _etcd(place: Path, store: str) -> list[str]:
    """With the libraries of its image: this machine may have others."""
    libraries = place / "lib/x86_64-linux-gnu"
    return [f"{libraries}/ld-linux-x86-64.so.2", "--library-path", str(libraries),
            f"{place}/usr/local/bin/etcd", f"--data-dir={place}/etcd",
            f"--listen-client-urls={store}", f"--advertise-client-urls={store}",
            "--listen-peer-urls=http://127.0.0.1:0", "--unsafe-no-fsync"]  # fmt: skip


def _api_server(found: ApiServer, store: str) -> list[str]:
    place = found.place
    return [f"{place}/usr/local/bin/kube-apiserver", f"--etcd-servers={store}",
            f"--bind-address={ADDRESS}", f"--secure-port={found.port}",
            f"--client-ca-file={place}/ca.crt", f"--tls-cert-file={place}/server.crt",
            f"--tls-private-key-file={place}/server.key", f"--cert-dir={place}",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://x", f"--service-account-key-file={place}/server.crt",
            f"--service-account-signing-key-file={place}/server.key",
            f"--audit-policy-file={place}/audit.yaml",
            f"--audit-log-path={place}/audit.log"]  # fmt: skip


def _unpack(image: Path, place: Path) -> None:
    """The files of an image in a docker-archive."""
    with tarfile.open(image) as archive:
        about = archive.extractfile("manifest.json")
        assert about
        for name in json.load(about)[0]["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                layer.extractall(place)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True
