"""A configuration with a registry of the cluster's own."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.fakes import World

PASSWORD = "it's $ecret # \\"
CONFIG = f"""
cluster_name: atlas
network: {{domain: example.org}}
registry: {{enabled: true, mirror: [docker.io, "quay.example:8443"]}}
registry_credential:
  10.1.0.1:5443: {{username: puller, password: {PASSWORD!r}}}
machines:
  infra01: {{role: infrastructure, private-ip: 10.1.0.1}}
  gpu01: {{role: worker, private-ip: 10.1.0.11}}
"""
OPEN = CONFIG.replace("10.1.0.1:5443: {", "other.example: {")

Start = Callable[..., World]
"""Makes a world in which it was started."""
