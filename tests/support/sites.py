"""A cluster's directory with services of the test's own, and an API server in memory."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlws.nodes.cluster import Cluster
from tests.support.fakes import Make
from tests.support.kubeobjects import FakeKube

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example/web:1"}]}
"""
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata:\n  a: b\n"


@dataclass
class Site:
    """A cluster's directory, in which services are written."""

    directory: Path
    make: Make
    kube: FakeKube

    def write(self, name: str, **files: str) -> None:
        """A service from files; __ in a name stands for a dot."""
        folder = self.directory / "templates/services" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(textwrap.dedent(text))

    def cluster(self, **options: Any) -> Cluster:
        return self.make(**options).cluster
