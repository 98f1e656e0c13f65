"""Download files with curl, and compare them with what their publisher says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dlws.bundle.manifest import digest
from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.shell.quoting import sh

CURL = ("curl", "--silent", "--show-error", "--location", "--retry", "3", "--connect-timeout", "20")


def published(text: str) -> str:
    """The hash in a .sha256 file, which may name the file after it."""
    words = text.split()
    if not words or not re.fullmatch(r"[0-9a-f]{64}", words[0]):
        raise DeployError(f"not a published sha256: {text[:80]!r}", "try again later")
    return words[0]


def fetch_checked(url: str, out: Path) -> None:
    """Download a file and compare it with the sha256 that is published beside it."""
    expected = published(fetch(f"{url}.sha256"))
    fetch(url, out)
    if (actual := digest(out)) != expected:
        raise DeployError(
            f"{url} has sha256 {actual}, its publisher says {expected}",
            "something between here and there changes downloads: check the proxy, then try again",
        )
    out.chmod(0o755)


def fetch(url: str, out: Path | None = None, headers: Sequence[str] = ()) -> str:
    """Download a file to `out`, or return its text; curl reads headers from standard input."""
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
    target = ("--output", out) if out else ()
    line = sh(*CURL, "--fail", *target, "--header", "@-", url)
    result = Local().run(line, "".join(f"{header}\n" for header in headers).encode())
    if not result.ok:
        raise DeployError(
            f"{url} cannot be fetched: {result.complaint}",
            "check this machine's network and proxy (https_proxy); what is fetched is kept",
        )
    return result.text
