"""Download files with curl over https, and compare them with a hash."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from dlws.bundle.manifest import digest
from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.core.localfiles import scratch
from dlws.shell.quoting import sh

PROTOCOLS = "=https"
"""What curl may speak, after a redirect too."""
_PATIENCE = ("--retry", "3", "--connect-timeout", "20")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def curl(*words: object) -> str:
    """A command line of curl that follows redirects, but never to what is not https."""
    allowed = ("--proto", PROTOCOLS, "--proto-redir", PROTOCOLS)
    return sh("curl", "--silent", "--show-error", "--location", *allowed, *_PATIENCE, *words)


def published(text: str) -> str:
    """The hash in a .sha256 file, which may name the file after it."""
    words = text.split()
    if not words or not _SHA256.fullmatch(words[0]):
        raise DeployError(f"not a published sha256: {text[:80]!r}", "try again later")
    return words[0]


def fetch_checked(url: str, out: Path, sha256: str) -> None:
    """Download a file and compare it with its hash."""
    fetch(url, out)
    if (actual := digest(out)) != sha256:
        out.unlink()
        raise DeployError(
            f"{url} has sha256 {actual}, and not {sha256}",
            "something between here and there changes downloads, or the file was published anew: "
            "ask its publisher which hash is right, before you use it",
        )
    out.chmod(0o755)


def fetch_published(url: str) -> str:
    """The sha256 that the publisher of a file has put beside it."""
    return published(fetch(f"{url}.sha256"))


@lru_cache(maxsize=2)
def content(url: str, sha256: str) -> bytes:
    """What is at an address, with the hash that it must have."""
    with scratch("dlws-download-") as folder:
        out = folder / "content"
        fetch_checked(url, out, sha256)
        return out.read_bytes()


def fetch(url: str, out: Path | None = None, headers: Sequence[str] = ()) -> str:
    """Download a file to `out`, or return its text; curl reads headers from standard input."""
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
    target = ("--output", out) if out else ()
    line = curl("--fail", *target, "--header", "@-", "--", url)
    result = Local().run(line, "".join(f"{header}\n" for header in headers).encode())
    if not result.ok:
        raise DeployError(
            f"{url} cannot be fetched: {result.complaint}",
            "check this machine's network and proxy (https_proxy); what is fetched is kept",
        )
    return result.text
