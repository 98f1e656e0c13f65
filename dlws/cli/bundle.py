"""`bundle`: everything that nodes install from, made here and checked by hash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlws.core.program import PROGRAM

if TYPE_CHECKING:
    from dlws.session import Session


_DIRECTORY = click.argument(
    "directory", required=False, type=click.Path(file_okay=False, path_type=Path)
)

_ARCH = click.option(
    "--arch",
    "architectures",
    multiple=True,
    type=click.Choice(["amd64", "arm64"]),
    help="Architecture of nodes. Repeatable; without it those of config.yaml, else this machine's.",
)
_VERSION = click.option(
    "--kubernetes-version", "version", metavar="X.Y.Z", help="Else config.yaml's."
)


@click.group()
def bundle() -> None:
    """Kubernetes, its images and packages in one directory, for nodes without network.

    A cluster whose config.yaml says `kubernetes: {source: bundle}` installs from it.
    """


@bundle.command()
@click.option(
    "--from",
    "origin",
    type=click.Choice(["upstream", "debian"]),
    required=True,
    help="The projects' own releases, or Debian's source package (compiled here, minutes).",
)
@_ARCH
@click.option(
    "--os",
    "codenames",
    multiple=True,
    type=click.Choice(["bookworm", "trixie"]),
    help="Releases whose packages to include. Repeatable; from debian: bookworm, else none.",
)
@_VERSION
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Else kubernetes.bundle of config.yaml, else deploy/bundle.",
)
@click.option(
    "--trust-upstream-hashes",
    "trusting",
    is_flag=True,
    help="Take what has no pinned hash as its server serves it now.",
)
@click.pass_obj
def build(
    session: Session,
    origin: str,
    architectures: tuple[str, ...],
    codenames: tuple[str, ...],
    version: str | None,
    output: Path | None,
    trusting: bool,
) -> None:
    """Make the bundle, from what is cached where possible."""
    from dlws.bundle import make, pins
    from dlws.core.version import Version

    plan = make.BundlePlan(
        origin,
        Version.parse(version) if version else make.configured_version(session, origin),
        architectures or make.configured_architectures(session),
        codenames or (("bookworm",) if origin == "debian" else ()),
        output or make.configured_directory(session),
        pins.load(session.options.directory, trusting),
    )
    make.bundle(session.console, plan, session.gate)


@bundle.command()
@_ARCH
@_VERSION
@click.pass_obj
def pin(session: Session, architectures: tuple[str, ...], version: str | None) -> None:
    """Note the hashes that upstream publishes now, for `build --from upstream`.

    They go to bundle-pins.yaml, beside config.yaml. Compare them with another source.
    """
    from dlws.bundle import make
    from dlws.core.version import Version

    wanted = Version.parse(version) if version else make.configured_version(session, "upstream")
    make.pin(session, wanted, architectures or make.configured_architectures(session))


@bundle.command()
@_DIRECTORY
@click.pass_obj
def verify(session: Session, directory: Path | None) -> None:
    """Check every file by its sha256. Exit 5 if one is wrong, missing or surplus."""
    from dlws.bundle import make, manifest
    from dlws.core.errors import CheckFailed

    place = directory or make.configured_directory(session)
    found = manifest.checked(place, session.console)
    if found:
        listed = "".join(f"\n  {line}" for line in found)
        cure = f"make it again: {PROGRAM} bundle build --from {manifest.load(place).origin}"
        raise CheckFailed(f"{place}: {len(found)} files are not right:{listed}", cure)
    click.echo(f"{place}: intact")


@bundle.command()
@_DIRECTORY
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def show(session: Session, directory: Path | None, output: str) -> None:
    """Say what a bundle holds."""
    from dlws.bundle import make, manifest

    value = manifest.load(directory or make.configured_directory(session))
    click.echo(value.dump() if output == "json" else value.text(), nl=False)
