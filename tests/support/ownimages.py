"""A configuration whose services' images go to the cluster's own registry, and their keys."""

from __future__ import annotations

from tests.support.fakes import CONFIG

PLACE = "10.1.0.1:5443"
TEXT = (
    CONFIG.replace(", archtype: arm64", "").replace("version: 1.20.2", "source: bundle")
    + "services: [mysql, nginx]\nmysql_password: pa55-w0rd\ndockertag: '1'\n"
)
KEYS = {
    "mariadb": {f"{PLACE}/atlas_mariadb:1": "ab"},
    "nginx": {f"{PLACE}/atlas_nginx:1": "cd"},
    "platform": {f"{PLACE}/atlas_platform:1": "ef"},
}
