"""A cluster's identity on the devbox: its id and its SSH key, under deploy/."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core.errors import UsageError
from dlws.core.localfiles import private_directory, read, write
from dlws.runs.plan import local

if TYPE_CHECKING:
    from dlws.runs.console import Console
    from dlws.runs.gate import Gate
    from dlws.secrets.vault import Vault

KEY = "deploy/sshkey/id_ed25519"
_IDENTITY = "deploy/clusterID.yml"


def owner(directory: Path) -> str:
    """The cluster that deploy/ was built for, or an empty string."""
    return _known(directory, "cluster_name")


def cluster_id(directory: Path) -> str:
    """The cluster's id, or an empty string where `build` has not made it."""
    return _known(directory, "clusterId")


def _known(directory: Path, key: str) -> str:
    path = directory / _IDENTITY
    if not path.exists():
        return ""
    text = read(path).decode(errors="replace")
    match = re.search(rf"^{key}: *\"?([^\"\n]*)\"?$", text, re.MULTILINE)
    return match.group(1) if match else ""


def check_owner(directory: Path, cluster_name: str) -> None:
    """Raise UsageError where deploy/ belongs to another cluster."""
    other = owner(directory)
    if other and other != cluster_name:
        raise UsageError(
            f"{directory}/deploy belongs to the cluster {other}, config.yaml is of {cluster_name}",
            f"use a directory of its own for {cluster_name} (--dir), or move deploy/ away",
        )


def build(
    directory: Path, cluster_name: str, keep: Callable[[Path, bytes], None] | None = None
) -> list[str]:
    """Make what is missing of the cluster's id and key; what was made, as paths.

    `keep` writes the private key, where not simply as it is.
    """
    check_owner(directory, cluster_name)
    for place in (directory / "deploy", directory / "deploy/sshkey"):
        private_directory(place)
        place.chmod(0o700)  # someone may have made it before, for a file of theirs
    made = lacking(directory)
    if _IDENTITY in made:
        text = f'clusterId: {uuid.uuid4()}\ncluster_name: "{cluster_name}"\n'
        write(directory / _IDENTITY, text.encode())
    if KEY in made:
        key = directory / KEY
        private, public = generate_key(f"dlws {cluster_name}")
        write(key.with_name(key.name + ".pub"), public, 0o644)
        (keep or write)(key, private)
    return made


def lacking(directory: Path) -> list[str]:
    """What build() would make, as paths."""
    found = [] if (directory / _IDENTITY).exists() else [_IDENTITY]
    key = directory / KEY
    return found if key.exists() or key.with_name("id_rsa").exists() else [*found, KEY]


def ensure(directory: Path, name: str, vault: Vault, gate: Gate, console: Console) -> None:
    """Make what is missing, unless this is a dry run."""
    check_owner(directory, name)
    wanted = lacking(directory)
    if gate.admit(*(local(f"make {path}") for path in wanted)):
        for path in build(directory, name, vault.write):
            console.changed(path)
    if not wanted:
        console.say("nothing to do: id and key are there")


def generate_key(comment: str) -> tuple[bytes, bytes]:
    """A new Ed25519 key: the private one in OpenSSH form, and its public line."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    return private, public + f" {comment}\n".encode()
