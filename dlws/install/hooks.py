"""A person's own programs around steps: hooks/before-STEP, after-STEP and on-failure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.nodes.directory import owner
from dlws.runs.plan import local
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.session import Session


def run(session: Session, name: str, step: str, why: str = "") -> None:
    """Run the hook NAME of the cluster's directory, if there is one; its failure is the step's."""
    directory = session.options.directory
    path = directory / "hooks" / name
    if not path.exists():
        return
    if not os.access(path, os.X_OK):
        raise DeployError(f"{path} cannot be run", f"chmod +x {sh(path)}")
    if not session.gate.admit(local(f"run the hook {name}", path.read_bytes())):
        return
    words = [f"{key}={value}" for key, value in context(session, name, step, why).items()]
    echo, finish = session.console.echo(f"hook {name}")
    try:
        result = Local().run(f"cd {sh(directory)} && {sh('env', *words, path)}", echo=echo)
    finally:
        finish()
    if not result.ok:
        raise DeployError(f"the hook {name} ended with {result.code}", f"see {path}")


def context(session: Session, name: str, step: str, why: str) -> dict[str, object]:
    """What a hook is told of the run: no secrets."""
    options, run = session.options, session.run.id
    return {
        "DLWS_DIR": options.directory,
        "DLWS_HOOK": name,
        "DLWS_STEP": step,
        "DLWS_ERROR": session.console.redactor.text(why),
        "DLWS_CLUSTER": owner(options.directory),
        "DLWS_RUN": run,
        "DLWS_RECORDS": options.directory / "deploy/runs" / run,
        "DLWS_COMMAND": sh(*options.argv),
        "DLWS_NODES": ",".join(options.nodes),
    }
