"""Commands for workers by the work there is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group()
def autoscale() -> None:
    """Add workers while work waits, and give idle ones back (azure_cluster.autoscale)."""


@autoscale.command()
@click.pass_obj
def run(session: Session) -> None:
    """Look once and do what is due; have cron or a systemd timer run it every minute.

    Workers that rest are started before new ones are made. A worker with pods of jobs is left
    alone; an idle one is cordoned, looked at again, and deallocated.
    """
    from dlws.azure.client import Azure
    from dlws.install import autoscale as actions
    from dlws.install.elastic import reach_from_outside

    reach_from_outside(session)
    actions.run(session, Azure(session))


@autoscale.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def status(session: Session, output: str) -> None:
    """Show workers, work that waits, and what `autoscale run` would do now."""
    from dlws.azure.client import Azure
    from dlws.core.text import columns
    from dlws.install import autoscale as actions
    from dlws.install.elastic import reach_from_outside

    reach_from_outside(session)
    seen, decision = actions.status(session, Azure(session))
    rows = [{"name": one.name, "ready": one.ready, "busy": one.busy, "idle": round(one.idle),
             **one.room._asdict()} for one in seen.workers]  # fmt: skip
    if output == "json":
        whole = {"workers": rows, "waiting": [one._asdict() for one in seen.waiting],
                 "why": decision.why, "more": decision.more, "back": decision.back}  # fmt: skip
        session.console.data(json.dumps(whole, indent=2))
        return
    head = ("name", "ready", "busy", "idle", "free cpu", "free MiB", "free devices")
    session.console.data(columns([head, *(tuple(map(str, row.values())) for row in rows)]))
    session.console.data(decision.why)
