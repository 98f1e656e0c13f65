"""What the roles are told from outside: variables for what is no secret, files for what is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL

from jobplatform.model import signin


class Missing(Exception):
    """Something that a role needs was not given."""


@dataclass(frozen=True)
class Settings:
    """Where the database, Kubernetes and the share are."""

    host: str
    port: int
    database: str
    user: str
    password: Path
    admin_token: Path
    kubernetes: str
    share: Path | None
    claim: str
    on_nodes: str = ""
    """Where nodes have the share mounted, for the claim's volume; empty: the claims are there."""

    def url(self) -> URL:
        """The database's address. The password is read each time: a new one needs no restart."""
        try:
            password = self.password.read_text().strip()
        except OSError as error:
            raise Missing(f"the database's password cannot be read: {error}") from None
        return URL.create("mysql+pymysql", self.user, password, self.host, self.port, self.database)


def settings(given: Mapping[str, str] = os.environ) -> Settings:
    share = given.get("PLATFORM_SHARE", "")
    if bool(share) != bool(given.get("PLATFORM_SHARE_CLAIM")):
        raise Missing("PLATFORM_SHARE and PLATFORM_SHARE_CLAIM are given together or not at all")
    try:
        return Settings(
            given.get("PLATFORM_DATABASE_HOST", "mysql"),
            int(given.get("PLATFORM_DATABASE_PORT", "3306")),
            given["PLATFORM_DATABASE_NAME"],
            given.get("PLATFORM_DATABASE_USER", "root"),
            Path(given.get("PLATFORM_DATABASE_PASSWORD_FILE", "/etc/platform/database-password")),
            Path(given.get("PLATFORM_ADMIN_TOKEN_FILE", "/etc/platform/admin-token")),
            api_server(given),
            Path(share) if share else None,
            given.get("PLATFORM_SHARE_CLAIM", ""),
            given.get("PLATFORM_SHARE_ON_NODES", ""),
        )
    except KeyError as error:
        raise Missing(f"set {error.args[0]}") from None
    except ValueError:
        raise Missing("PLATFORM_DATABASE_PORT is no number") from None


def api_server(given: Mapping[str, str] = os.environ) -> str:
    """The address of Kubernetes' API server, as each pod is told it."""
    host = given.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    port = given.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://{f'[{host}]' if ':' in host else host}:{port}"


def kept_logs(given: Mapping[str, str] = os.environ) -> Path | None:
    """The share on which logs are kept, where there is one."""
    found = given.get("PLATFORM_LOGS", "")
    return Path(found) if found else None


def sign_in(given: Mapping[str, str] = os.environ) -> signin.SignIn:
    """Ways to sign in beside name and password, where there are any."""
    place = Path(given.get("PLATFORM_SIGN_IN_FILE", "/etc/platform/sign-in.json"))
    if not place.exists():
        return signin.SignIn()
    try:
        return signin.read(place)
    except ValueError as error:
        raise Missing(str(error)) from None


def api_address(given: Mapping[str, str] = os.environ) -> str:
    """Where the portal finds the API: all that it is told."""
    address = given.get("PLATFORM_API", "")
    if not address.startswith(("http://", "https://")):
        raise Missing("set PLATFORM_API to the API's address, such as http://restfulapi2:5000")
    return address


def metrics_port(given: Mapping[str, str] = os.environ) -> int | None:
    """The port at which Prometheus asks; without one, nothing is told."""
    found = given.get("PLATFORM_METRICS_PORT", "")
    if found and not found.isdecimal():
        raise Missing("PLATFORM_METRICS_PORT is no number")
    return int(found) if found else None
