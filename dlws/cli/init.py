"""The command that writes a first config.yaml."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from dlws.core.program import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dlws.config.new import Answers, NewMachine
    from dlws.session import Session

ROLES = ("infra", "worker", "nfs", "mysqlserver", "elasticsearch", "samba")
_HOW = "write it like: init --name mycluster --infra infra01=10.0.0.1 --worker gpu01=10.0.0.11"
_KEYS = {
    "cluster_name": "name",
    "user": "user",
    "domain": "domain",
    "os": "os",
    "architecture": "arch",
    "kubernetes": "kubernetes_version",
    "location": "location",
}
"""What an answer is called, and the option that gives it."""


def _roles(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each role."""
    for role in reversed(ROLES):
        text = f"Machines with the role {role}. Repeatable."
        command = click.option(f"--{role}", multiple=True, metavar="NODES", help=text)(command)
    return command


@click.command()
@click.option("--name", help="The cluster's name.")
@click.option("--platform", type=click.Choice(["onpremise", "azure", "sandbox"]),
              help="Where the machines are; onpremise by default.")  # fmt: skip
@_roles
@click.option("--worker-type", type=click.Choice(["gpu", "npu", "cpu"]),
              help="What workers without a TYPE compute with; cpu by default.")  # fmt: skip
@click.option("--vendor", help="Maker of their devices: nvidia, huawei, ...")
@click.option("--user", help="The user to create on the machines; dlwsadmin by default.")
@click.option("--domain", help="Added to the machines' names.")
@click.option("--os", type=click.Choice(["ubuntu", "debian"]), default="ubuntu", show_default=True)
@click.option("--arch", type=click.Choice(["amd64", "arm64"]), default="amd64", show_default=True)
@click.option("--kubernetes-version", metavar="X.Y.Z", help="By default the newest one known.")
@click.option("--location", help="Azure: where the machines are, such as westus2.")
@click.pass_obj
def init(session: Session, /, **given: Any) -> None:
    """Write a commented config.yaml, from options or from answers to a few questions.

    NODES is NAME=ADDRESS; both may be node sets: --worker 'gpu[01-12]=10.0.0.[11-22]'. A worker's
    type may stand before them: npu:npu[1-4]=10.0.0.[31-34], gpu/amd:mi[1-2]=10.0.0.[41-42]. On
    Azure, --infra and --worker take numbers. Asks on a terminal for what is not given, unless with
    -y. Overwrites nothing; --dry-run prints the file.
    """
    from dlws.cli.questions import ask
    from dlws.config import new
    from dlws.core.localfiles import write
    from dlws.runs.plan import local

    path = session.options.directory / "config.yaml"
    _refuse_existing(path)
    if sys.stdin.isatty() and not session.options.yes:
        ask(given, path.parent)
    text = new.config_text(_answers(given))
    if not session.gate.admit(local(f"write {path}", text)):
        session.console.data(text.rstrip("\n"))
        return
    _refuse_existing(path)
    write(path, text.encode())
    session.console.changed(f"wrote {path}")


def _refuse_existing(path: Path) -> None:
    from dlws.core.errors import Refused

    if path.exists() or path.is_symlink():
        raise Refused(
            f"{path} is there already, and is not overwritten",
            f"edit it, and check it with: {PROGRAM} checkconfig; or name another directory: --dir",
        )


def _answers(given: Mapping[str, Any]) -> Answers:
    """The answers that the options amount to; raises UsageError where one is missing."""
    from dlws.config.new import Answers, read_number
    from dlws.core.errors import UsageError

    platform = given["platform"] or "onpremise"
    if platform == "sandbox":
        raise UsageError("a sandbox makes its config.yaml itself", f"run: {PROGRAM} sandbox up")
    for option in ("name", "infra") if platform == "onpremise" else ("name", "location"):
        if not given[option]:
            raise UsageError(f"--{option} is missing", f"{_HOW}; or answer questions on a terminal")
    chosen = {key: given[option] for key, option in _KEYS.items() if given[option]}
    if platform == "onpremise":
        return Answers(platform=platform, machines=_machines(given), **chosen)
    infra = read_number("infra", " ".join(given["infra"]) or "1")
    workers = read_number("worker", " ".join(given["worker"]) or "0")
    return Answers(platform=platform, infra_number=infra, worker_number=workers, **chosen)


def _machines(given: Mapping[str, Any]) -> list[NewMachine]:
    from dlws.config import new

    kind = given["worker_type"] or "cpu"
    vendor = given["vendor"] or new.VENDORS[kind]
    found = []
    for role in ROLES:
        own = (kind, vendor) if role == "worker" else ("", "")
        word = "infrastructure" if role == "infra" else role
        found += [one for text in given[role] for one in new.read_machines(word, text, *own)]
    return new.merged(found)
