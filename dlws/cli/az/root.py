"""The root of az_tools.py's command tree; what it has in common with deploy.py is in cli.root."""

from __future__ import annotations

from typing import Any

import click

from dlws import __version__
from dlws.cli.az.table import COMMANDS
from dlws.cli.root import Root, begin


class AzRoot(Root):
    """Commands from a table of its own."""

    table = COMMANDS
    package = "dlws.cli.az"


@click.group(cls=AzRoot, name="az_tools", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="az_tools")
@click.option("--dir", "directory", type=click.Path(file_okay=False), default=".", metavar="DIR",
              help="The cluster's directory: config.yaml, deploy/.")  # fmt: skip
@click.option("--subscription", default="", metavar="NAME|ID",
              help="Instead of the one in config.yaml or of `az account`.")  # fmt: skip
@click.option("-p", "--parallelism", "parallel", type=click.IntRange(1, 1024), default=32,
              show_default=True, help="How many requests at a time.")  # fmt: skip
@click.option("-d", "--dry-run", "--dryrun", is_flag=True,
              help="Change nothing; print what would be done.")  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Answer yes to questions (none that loses data).")
@click.option("-v", "--verbose", is_flag=True, help="Say more of what is done.")
@click.option("--force", is_flag=True, help="Go on where a command would stop to be careful.")
@click.option("--lock-wait", type=click.FloatRange(min=0), default=0, metavar="SECONDS",
              help="Wait this long for another run on this cluster to end.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Treat warnings about config.yaml as errors.")
@click.pass_context
def az(ctx: click.Context, /, directory: str, **options: Any) -> None:
    """Make the machines of a deep-learning cluster on Azure, and look after them.

    The section azure_cluster of config.yaml says which. Start with `check` and
    `--dry-run create`; after `create`, `genconfig` writes them to cluster.yaml, and deploy.py goes
    on from there.
    """
    begin(ctx, directory, options)
