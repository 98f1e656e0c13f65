"""The roles registry and registry-trust: what they place on nodes."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from dlws.access.certificates import loaded
from dlws.roles.carry import Carriers
from dlws.roles.wanted import Wanted, wanted
from tests.support import dockers
from tests.support.fakes import World
from tests.support.registries import CONFIG, OPEN, PASSWORD, Start
from tests.support.sshd import free_port

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def of(world: World, role: str, name: str = "infra01") -> Wanted:
    carriers = Carriers(world.cluster)
    node = next(node for node in carriers.nodes(role) if node.name == name)
    return wanted(carriers.role(role), carriers.values(node))


def files(found: Wanted) -> dict[str, str]:
    return {file.path: bytes(file.content).decode() for file in found.files}


def test_the_registry_is_on_one_node_and_all_trust_it(started: Start) -> None:
    carriers = Carriers(started().cluster)
    assert [node.name for node in carriers.nodes("registry")] == ["infra01"]
    assert [node.name for node in carriers.nodes("registry-trust")] == ["infra01", "gpu01"]
    assert carriers.role("registry").says.apart and carriers.role("registry-trust").says.apart


def test_nobody_carries_the_roles_before_it_was_started(make: Start) -> None:
    carriers = Carriers(make(CONFIG).cluster)
    assert not carriers.nodes("registry") and not carriers.nodes("registry-trust")


def test_servers_of_the_registry_and_its_mirrors(started: Start) -> None:
    found = of(started(), "registry")
    place, names = "/etc/dlws/registry", ("main", "mirror-docker.io", "mirror-quay.example:8443")
    made = {name: yaml.safe_load(files(found)[f"{place}/{name}.yml"]) for name in names}
    assert [one["http"]["addr"] for one in made.values()] == [":5443", ":5444", ":5445"]
    roots = [one["storage"]["filesystem"]["rootdirectory"] for one in made.values()]
    assert roots == [f"/var/lib/dlws-registry/{name}" for name in names]
    assert [one.get("proxy", {}).get("remoteurl") for one in made.values()] == [
        *(None, "https://registry-1.docker.io", "https://quay.example:8443")
    ]
    assert [one.get("auth", {}).get("htpasswd") is not None for one in made.values()] == [
        *(True, False, False)
    ]
    assert all(one["http"]["tls"]["key"] == f"{place}/tls.key" for one in made.values())
    assert made["main"]["storage"]["delete"] == {"enabled": True}
    assert found.units == tuple(f"dlws-registry@{name}.service" for name in names)
    assert found.listens == ((5443, "tcp"), (5444, "tcp"), (5445, "tcp"))
    assert found.links == {"/etc/systemd/system/docker-registry.service": "/dev/null"}


ODD_PATH = "/srv/my 'images' \"x\" $y; [?] 100% \\ ü #1"
AS_SYSTEMD_HAS_IT = r"""/srv/my 'images' \"x\" $y; [?] 100%% \\ ü #1"""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_images_lie_on_a_path_with_anything_in_it(started: Start, tmp_path: Path) -> None:
    """systemd took it for several, and the registry could not write where it should."""
    text = OPEN.replace("enabled: true", f"enabled: true, path: {json.dumps(ODD_PATH)}")
    found = files(of(started(text), "registry"))
    main = yaml.safe_load(found["/etc/dlws/registry/main.yml"])
    assert main["storage"]["filesystem"] == {"rootdirectory": f"{ODD_PATH}/main"}
    unit = found["/etc/systemd/system/dlws-registry@.service"]
    path = tmp_path / "dlws-registry@main.service"
    path.write_text(re.sub("ExecStart=.*", "ExecStart=/bin/true", unit))
    line = ["systemd-analyze", "verify", "--man=no", str(path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    assert [row for row in told.splitlines() if "ReadWritePaths" in row] == [], told
    assert f'\nReadWritePaths="{AS_SYSTEMD_HAS_IT}"\n' in unit


def test_keys_and_passwords_are_for_the_registry_alone(started: Start) -> None:
    found = of(started(), "registry")
    private = {f.path: (f.mode, f.owner) for f in found.files if f.path.startswith("/etc/dlws/")}
    assert set(private.values()) == {(0o640, "root:docker-registry")}
    assert all(PASSWORD not in text for text in files(found).values())
    assert files(found)["/etc/dlws/registry/htpasswd"].startswith("puller:$2b$")


def test_without_credentials_for_it_everybody_may_pull_and_nobody_push(started: Start) -> None:
    found = of(started(OPEN), "registry")
    main, pull = (
        yaml.safe_load(files(found)[f"/etc/dlws/registry/{name}.yml"]) for name in ("main", "pull")
    )
    assert main["auth"]["htpasswd"] and "auth" not in pull and "proxy" not in pull
    assert pull["storage"]["maintenance"]["readonly"] == {"enabled": True}
    assert "delete" not in pull["storage"] and "cache" not in pull["storage"]
    assert pull["storage"]["filesystem"] == main["storage"]["filesystem"]
    assert pull["http"]["addr"] == ":5442" and (5442, "tcp") in found.listens
    assert files(found)["/etc/dlws/registry/htpasswd"].startswith("dlws:$2b$")


def test_containerd_pulls_from_it_without_a_login(started: Start) -> None:
    made = files(of(started(OPEN), "registry-trust", "gpu01"))
    ours = {"capabilities": ["pull", "resolve"], "ca": "/etc/dlws/registry-ca.crt"}
    for place in ("10.1.0.1:5443", "infra01:5443", "infra01.example.org:5443"):
        found = tomllib.loads(made[f"/etc/containerd/certs.d/{place}/hosts.toml"])
        server = "https://10.1.0.1:5442"
        assert found == {"server": server, "host": {server: ours}, **ours}
    closed = files(of(started(), "registry-trust", "gpu01"))
    assert not [path for path in closed if path.endswith(":5443/hosts.toml")]


def test_docker_trusts_the_port_without_a_login_too(started: Start) -> None:
    link = "/etc/docker/certs.d/10.1.0.1:5442/ca.crt"
    assert of(started(OPEN), "registry-trust", "gpu01").links[link] == "/etc/dlws/registry-ca.crt"


@pytest.mark.parametrize(("name", "server", "port"), [
    ("docker.io", "https://registry-1.docker.io", 5444),
    ("quay.example:8443", "https://quay.example:8443", 5445),
])  # fmt: skip
def test_containerd_asks_a_mirror_before_what_it_mirrors(
    started: Start, name: str, server: str, port: int
) -> None:
    found = files(of(started(), "registry-trust", "gpu01"))
    made = tomllib.loads(found[f"/etc/containerd/certs.d/{name}/hosts.toml"])
    ours = {"capabilities": ["pull", "resolve"], "ca": "/etc/dlws/registry-ca.crt"}
    assert made == {"server": server, "host": {f"https://10.1.0.1:{port}": ours}}


class Server:
    """docker-registry with TLS, on a port of this machine."""

    def __init__(self, place: Path, port: int) -> None:
        self.place, self.port = place, port
        self.trust = ssl.create_default_context(cafile=str(place / "ca.crt"))

    @contextmanager
    def serving(self, settings: str, name: str) -> Iterator[None]:
        (self.place / f"{name}.yml").write_text(settings)
        line = ["env", f"SSL_CERT_FILE={self.place}/ca.crt", dockers.program("docker-registry")]
        log = self.place / f"{name}.log"
        with dockers.running([*line, "serve", str(self.place / f"{name}.yml")], log, self.answers):
            yield

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/v2/")[0] == 200
        except OSError:
            return False

    def ask(
        self, method: str, path: str, body: bytes = b"", kind: str = ""
    ) -> tuple[int, bytes, str]:
        """Status, content, and where to go on."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.trust)
        headers = {"Accept": MANIFEST} | ({"Content-Type": kind} if kind else {})
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.headers.get("Location", "")
        connection.close()
        return found

    def push(self, content: bytes) -> str:
        """Push an image of one layer as app:1; the digest of its manifest."""
        parts = []
        for blob, kind in ((b"{}", CONTAINER), (content, LAYER)):
            digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
            place = self.ask("POST", "/v2/app/blobs/uploads/")[2].partition(f":{self.port}")[2]
            assert self.ask("PUT", f"{place}&digest={digest}", blob, STREAM)[0] == 201
            parts.append({"mediaType": kind, "size": len(blob), "digest": digest})
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST}
        body = json.dumps({**manifest, "config": parts[0], "layers": parts[1:]}).encode()
        assert self.ask("PUT", "/v2/app/manifests/1", body, MANIFEST)[0] == 201
        return f"sha256:{hashlib.sha256(body).hexdigest()}"


_DOCKER = "application/vnd.docker."
MANIFEST, STREAM = f"{_DOCKER}distribution.manifest.v2+json", "application/octet-stream"
CONTAINER, LAYER = f"{_DOCKER}container.image.v1+json", f"{_DOCKER}image.rootfs.diff.tar.gzip"
UPSTREAM = """version: 0.1
storage: {{filesystem: {{rootdirectory: {place}/upstream}}}}
http: {{addr: "127.0.0.1:{port}", tls: {{certificate: {place}/tls.crt, key: {place}/tls.key}}}}
"""


def test_a_mirror_gives_what_a_real_registry_behind_it_has(started: Start, tmp_path: Path) -> None:
    port = free_port()
    text = CONFIG.replace("10.1.0.1", "127.0.0.1").replace("quay.example:8443", f"127.0.0.1:{port}")
    world = started(text)
    made = files(of(world, "registry"))
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text(made[f"/etc/dlws/registry/{name}"])
    shutil.copy(world.cluster.deploy / "registry/ca.crt", tmp_path)
    settings = made[f"/etc/dlws/registry/mirror-127.0.0.1:{port}.yml"]
    behind, mirror = Server(tmp_path, port), Server(tmp_path, free_port())
    settings = settings.replace("/etc/dlws/registry/", f"{tmp_path}/").replace(
        "/var/lib/dlws-registry/", f"{tmp_path}/kept/"
    )
    settings = settings.replace('":5445"', f'"127.0.0.1:{mirror.port}"')
    with pytest.raises(AssertionError, match="refused"), mirror.serving(settings, "mirror"):
        pass  # one without the registry behind it does not start
    with behind.serving(UPSTREAM.format(place=tmp_path, port=port), "upstream"):
        digest = behind.push(b"a layer")
        with mirror.serving(settings, "mirror"):
            for at in ("1", digest):
                assert mirror.ask("GET", f"/v2/app/manifests/{at}") == behind.ask(
                    "GET", f"/v2/app/manifests/{at}"
                )
            layer = f"sha256:{hashlib.sha256(b'a layer').hexdigest()}"
            assert mirror.ask("GET", f"/v2/app/blobs/{layer}")[:2] == (200, b"a layer")
            assert mirror.ask("GET", "/v2/app/manifests/2")[0] == 404
            assert mirror.ask("POST", "/v2/app/blobs/uploads/")[0] == 405, "it takes nothing"


def test_nodes_trust_it_by_each_name(started: Start) -> None:
    """By a ca.crt, also for containerd: with a hosts.toml, a missing image is told as no trust."""
    found = of(started(), "registry-trust", "gpu01")
    assert set(found.links.values()) == {"/etc/dlws/registry-ca.crt"}
    places = ("10.1.0.1:5443", "infra01:5443", "infra01.example.org:5443")
    assert set(found.links) == {
        *(f"/etc/containerd/certs.d/{place}/ca.crt" for place in places),
        *(f"/etc/docker/certs.d/{place}/ca.crt" for place in (*places, "10.1.0.1:5444")),
        "/etc/docker/certs.d/10.1.0.1:5445/ca.crt",
    }
    assert loaded(files(found)["/etc/dlws/registry-ca.crt"])
