"""The cluster of config.yaml.example, with what a person has to fill in before it has services."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from dlws.core.localfiles import write
from dlws.core.resources import templates
from dlws.nodes.cluster import Cluster
from dlws.nodes.node import Login, Node
from dlws.services.folder import load_all
from dlws.services.manifests import Object
from dlws.services.values import Templates
from tests.support import ROOT
from tests.support.fakes import Fake, config_of
from tests.support.invocations import unrecorded

EXAMPLE = ROOT / "config.yaml.example"
SERVICES = sorted(path.parent.name for path in (templates() / "services").glob("*/service.yaml"))
KEPT = ("jwt.key", "admin.token", "master.token", "admin.password", "logging.password")
"""What `webui` makes in deploy/dashboard."""
AWKWARD = " p'a\"s$s ${w}: %s [?] {{x}} \\n\\ ü🔑 #1;` "


def filled_in(version: str = "", **changes: object) -> str:
    """The text of the example, with the password of the database, and other values changed."""
    text = re.sub(r"(?m)^  version: .*$", f"  version: {version}", EXAMPLE.read_text())
    text = text if version else EXAMPLE.read_text()
    given = yaml.safe_load(text)
    given = {**given, "mysql_password": "secret of the database", **changes}
    # So that cluster-dns is there, too.
    given["kubernetes"] = {**given["kubernetes"], "skip_phases": ["addon/coredns"]}
    given.setdefault("dockers", {"hub": "registry.example.org/dlws/", "tag": "1.9"})
    return json.dumps(given, ensure_ascii=False)


def cluster_of(directory: Path, text: str, awkward: str = "") -> Cluster:
    """A cluster whose directory has what `build`, `webui` and `nginx config` make."""
    files = {f"dashboard/{name}": f"{name}{awkward}" for name in KEPT}
    files |= {"nginx/tls.crt": "CERTIFICATE\n", "nginx/tls.key": "KEY OF NGINX\n"}
    files["clusterID.yml"] = "clusterId: 6f1f2d6e-0000-4000-8000-000000000001\n"
    for name, content in files.items():
        write(directory / "deploy" / name, content.encode())
    config = config_of(directory, text)
    run = unrecorded(directory=directory)
    nodes = [Node(one, one.name, Fake(), Login(), run) for one in config.machines.values()]
    return Cluster(config, nodes, run)


def objects_of(cluster: Cluster) -> Mapping[str, list[Object]]:
    """The objects of all services that come with dlws."""
    found, services = Templates(cluster), load_all(cluster.directory)
    return {name: found.objects(services[name]) for name in SERVICES}
