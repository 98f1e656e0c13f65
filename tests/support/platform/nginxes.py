"""The real nginx with the settings that are rendered for it, before an API and a portal."""

from __future__ import annotations

import base64
import json
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dlws.portal import frontdoor
from dlws.services.folder import load_all
from dlws.services.values import Templates
from tests.support.examples import cluster_of, filled_in
from tests.support.guards import with_us
from tests.support.program import daemon
from tests.support.waiting import wait_until

HOST = "localhost"


@dataclass
class Rendered:
    """What a cluster named `localhost` is given: nginx.conf, the files that go with it, and where
    the API says that the portal is."""

    settings: str
    places: dict[str, str]
    address: str
    ca: Path
    certificate: Path
    key: Path


def rendered(directory: Path) -> Rendered:
    cluster = cluster_of(directory, filled_in(cluster_name=HOST, network={"domain": ""}))
    made = directory / "deploy/nginx"
    for path in made.iterdir():
        path.unlink()  # which are no certificates
    frontdoor.configure(cluster)
    services, templates = load_all(directory), Templates(cluster)
    found = templates.objects(services["nginx"])
    (settings,) = [one.body["data"]["nginx.conf"] for one in found
                   if "nginx.conf" in (one.body.get("data") or {})]  # fmt: skip
    behind = {name: f"http://{_at(settings, place)}" for name, place in
              {"portal": "location / {", "api": "location /apis/ {"}.items()}  # fmt: skip
    apis = templates.objects(services["restfulapi2"])
    (told,) = [one.body["data"]["sign-in.json"] for one in apis
               if "sign-in.json" in (one.body.get("data") or {})]  # fmt: skip
    address = json.loads(base64.b64decode(told))["address"]
    return Rendered(
        settings, behind, address, *(made / name for name in ("ca.crt", "tls.crt", "tls.key"))
    )


def _at(settings: str, place: str) -> str:
    line = next(one for one in settings.splitlines() if one.strip().startswith(place))
    return line.partition("http://")[2].rstrip("; }/")


@dataclass
class Nginx:
    """One that serves; its https is at `port` of this machine."""

    port: int
    trust: ssl.SSLContext
    ca: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"https://{HOST}:{self.port}"

    def end_kept_connections(self) -> None:
        """As it does after a minute: those on which nobody asks are ended, others go on."""
        self.process.send_signal(signal.SIGHUP)
        said = self.log.read_bytes().count(b"exited with code 0")
        wait_until(
            lambda: self.log.read_bytes().count(b"exited with code 0") >= said + 2, log=self.log
        )


@contextmanager
def serving(
    made: Rendered, api: str, portal: str, place: Path, ports: list[int]
) -> Iterator[Nginx]:
    """nginx at free ports of this machine: http, https, and the one of Prometheus. Nothing else of
    its settings is another than on a cluster, but addresses and places of files."""
    settings, log = made.settings, place / "nginx.log"
    for old, new in {
        "/tmp/": f"{place}/",
        made.places["api"]: api, made.places["portal"]: portal,
        "listen 80 ": f"listen 127.0.0.1:{ports[0]} ",
        "listen 443 ": f"listen 127.0.0.1:{ports[1]} ",
        "listen 9091;": f"listen 127.0.0.1:{ports[2]};",
        "/run/secrets/nginx/tls.crt": str(made.certificate),
        "/run/secrets/nginx/tls.key": str(made.key),
         "/dev/stdout": f"{place}/access.log",
        "/dev/stderr warn": f"{log} notice",
    }.items():  # fmt: skip
        assert old in settings, old
        settings = settings.replace(old, new)
    (place / "nginx.conf").write_text(settings)
    line = [daemon("nginx", "nginx-light"), "-e", str(log), "-c", str(place / "nginx.conf")]
    process = subprocess.Popen(with_us(line), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _serves(process, log), log=log)
        trust = ssl.create_default_context(cafile=str(made.ca))
        yield Nginx(ports[1], trust, made.ca, log, process)
    finally:
        process.terminate()
        process.wait(30)


def _serves(process: subprocess.Popen[bytes], log: Path) -> bool:
    said = log.read_text() if log.exists() else ""
    assert process.poll() is None, said
    return "start worker process " in said
