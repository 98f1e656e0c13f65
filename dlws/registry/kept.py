"""What deploy/registry keeps: CA, certificate, the secret of uploads, who may log in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from dlws.access.certificates import Pair, lasts, new_ca, new_certificate
from dlws.config.registry import CA
from dlws.core.errors import UsageError
from dlws.core.localfiles import read, write
from dlws.nodes.credentials import PASSWORD, USER, Credential
from dlws.registry import certificates
from dlws.runs import plan
from dlws.secrets.redaction import revealed

if TYPE_CHECKING:
    from pathlib import Path

    from dlws.config.model.images import Registry
    from dlws.config.registry import OurRegistry
    from dlws.nodes.cluster import Cluster
    from dlws.secrets.vault import Vault

_LONGEST = 72
"""Bytes of a password that bcrypt, and so the registry, compares."""
_ROUNDS = 10
_MADE = PurePosixPath(PASSWORD).name


@dataclass(frozen=True)
class New:
    """Files that have to be written, and why."""

    why: str
    files: dict[str, str]


def ensure(cluster: Cluster, registry: OurRegistry) -> None:
    """Make what is missing, at its end or for other names. A dry run ends here where it is."""
    gate, console = cluster.run.gate, cluster.run.console
    store = Store(cluster.deploy, cluster.run.vault)
    made = list(_new(store, cluster.config.cluster_name, registry))
    if not made:
        return
    if gate.admit(*(plan.local(f"write deploy/registry: {new.why}") for new in made)):
        cluster.run.begin()
        for new in made:
            for name, text in new.files.items():
                store.write(name, text)
            console.changed(f"deploy/registry: {new.why}")
    gate.end_plan_here("what nodes get for the registry", "its certificate is made")


class Store:
    """The files of deploy/registry; all but certificates are secrets."""

    def __init__(self, deploy: Path, vault: Vault) -> None:
        self._place, self._vault = (deploy / CA).parent, vault

    def text(self, name: str) -> str:
        """The content of a file; nothing where it is missing."""
        path = self._place / name
        if not path.exists():
            return ""
        return (read(path) if name.endswith(".crt") else self._vault.read(path)).decode()

    def pair(self, name: str) -> Pair:
        return Pair(self.text(f"{name}.crt"), self.text(f"{name}.key"))

    def write(self, name: str, text: str) -> None:
        if name.endswith(".crt"):
            write(self._place / name, text.encode(), 0o644)
        else:
            self._vault.write(self._place / name, text.encode())


def _new(store: Store, cluster: str, registry: OurRegistry) -> Iterator[New]:
    now = datetime.now(timezone.utc)
    ca = store.pair("ca")
    if not ca.key or not lasts(ca.certificate, certificates.CA_LEFT, now):
        ca = new_ca(f"{cluster} registry CA")
        yield _pair("ca", ca, "a CA that nodes are to trust")
    own = store.pair("tls")
    if not own.key or not certificates.fits(own, ca, registry.hosts, now):
        made = new_certificate(ca, certificates.names(registry.hosts))
        yield _pair(
            "tls", made, f"a certificate for {', '.join(certificates.names(registry.hosts))}"
        )
    if not store.text("http.secret"):
        files = {"http.secret": f"{secrets.token_hex(32)}\n"}
        yield New("the secret by which uploads go on", files)
    yield from _new_password(store, registry.login)


def _new_password(store: Store, said: Registry | None) -> Iterator[New]:
    made = "" if said else store.text(_MADE) or secrets.token_urlsafe(24)
    login = (
        Credential(said.username, revealed(said.password) or "") if said else Credential(USER, made)
    )
    files = {"htpasswd": htpasswd(login)} if not lets_in(store.text("htpasswd"), login) else {}
    # The password comes first: without it, nobody could use what lets it in.
    files = {**({_MADE: made} if made and made != store.text(_MADE) else {}), **files}
    if files:
        yield New(f"the password of {login.user}", files)


def _pair(name: str, pair: Pair, why: str) -> New:
    # The certificate comes last: where that is there, all of it is.
    return New(why, {f"{name}.key": pair.key, f"{name}.crt": pair.certificate})


def htpasswd(login: Credential) -> str:
    """The file that lets one user in."""
    import bcrypt

    made = bcrypt.hashpw(_password(login), bcrypt.gensalt(_ROUNDS))
    return f"{login.user}:{made.decode()}\n"


def lets_in(text: str, login: Credential) -> bool:
    """Whether a file lets this user in, and nobody else."""
    import bcrypt

    user, _, made = text.strip().rpartition(":")
    if user != login.user:
        return False
    try:
        return bcrypt.checkpw(_password(login), made.encode())
    except ValueError:
        return False


def _password(login: Credential) -> bytes:
    password = login.password.encode()
    if len(password) > _LONGEST:
        raise UsageError(
            f"the password of {login.user} has {len(password)} bytes, and the registry "
            f"compares {_LONGEST}",
            "give a shorter one under registry_credential in config.yaml",
        )
    return password
