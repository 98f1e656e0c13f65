"""A private apt: this machine's mirrors, own lists and cache; /etc/apt stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from dlws.core.errors import DeployError
from dlws.shell.quoting import sh

DEBIAN = ("bookworm", "trixie")
TARGETS = sh(
    "apt-get",
    "indextargets",
    "--format",
    "$(REPO_URI) $(RELEASE) $(COMPONENT)",
    "Created-By: Packages",
)
INDEX = "Packages"
"""The name that apt wants of the index of an archive."""
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"

# What a node that can be reached at all has: packages for it need no copy in the bundle.
BASE = (
    "?essential",
    "?priority(required)",
    *("apt", "ca-certificates", "dbus", "iproute2", "libpam-systemd", "openssh-server"),
    *("sudo", "systemd", "systemd-sysv"),
)


def sources(targets: str, codename: str) -> str:
    """A deb822 file with Debian's own archives for a release, from what `TARGETS` printed."""
    mirrors: dict[str, str] = {}
    for line in targets.splitlines():
        uri, release, component = line.split()
        name, _, part = release.partition("-")
        if name in DEBIAN and component == "main" and part in ("", "updates", "security"):
            mirrors.setdefault("security" if part == "security" else "", uri)
    if "" not in mirrors:
        raise DeployError(
            "this machine's apt knows no Debian archive",
            "add one to /etc/apt/sources.list.d (bookworm, component main), then run this again",
        )
    stanzas = [_stanza(mirrors[""], f"{codename} {codename}-updates")]
    if "security" in mirrors:
        stanzas.append(_stanza(mirrors["security"], f"{codename}-security"))
    return "\n".join(stanzas)


def _stanza(uri: str, suites: str) -> str:
    return (
        f"Types: deb deb-src\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {_KEYS}\n"
    )


def settings(place: Path, architecture: str) -> Mapping[str, str]:
    """The apt options that keep everything below `place`, which knows of no installed package."""
    return {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": str(place / "sources"),
        "Dir::State::lists": str(place / "lists"),
        "Dir::State::status": str(place / "status"),
        "Dir::Cache": str(place / "cache"),
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",  # apt's own user cannot write below somebody's home
        "Acquire::Retries": "3",
    }


def apt_get(place: Path, architecture: str, *words: str) -> str:
    """The command line of a private apt-get."""
    options = settings(place, architecture).items()
    return sh("apt-get", "-qq", *(f"-o{key}={value}" for key, value in options), *words)


def prepare(place: Path, targets: str, codename: str) -> None:
    """Make the directories and the sources of a private apt."""
    for name in ("sources", "lists/partial", "cache/archives/partial"):
        (place / name).mkdir(parents=True, exist_ok=True)
    (place / "status").touch()
    (place / "sources/debian.sources").write_text(sources(targets, codename))


def simulated(output: str) -> list[str]:
    """The packages that `apt-get --simulate install` would install."""
    lines = (line.split() for line in output.splitlines())
    return [words[1] for words in lines if words[:1] == ["Inst"]]


def beyond(full: Iterable[str], base: Iterable[str]) -> list[str]:
    """The packages to bundle: what the wanted ones need and a reachable node does not have."""
    return sorted(set(full) - set(base))


def stanza(control: str, name: str, size: int, sha256: str) -> str:
    """What an index says of a package: its control fields, and the file (bytes, digest) for it."""
    fields = control.rstrip("\n")
    return f"{fields}\nFilename: ./{name}\nSize: {size}\nSHA256: {sha256}\n\n"


def pool_name(file: str) -> str:
    """A .deb's name without its epoch, as in an archive: `%3a` in a path asks for trouble."""
    name, _, rest = file.partition("_")
    version, _, architecture = rest.rpartition("_")
    return f"{name}_{version.partition('%3a')[2] or version}_{architecture}"
