"""Make what is not there yet, with one deployment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dlws.access.sshkey import public_keys
from dlws.azure.template import build, machines, names
from dlws.azure.template.resources import Access
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.session import Session


def access(session: Session) -> Access:
    """Who logs in to the machines: the cluster's key, and those that the configuration names."""
    config, directory = session.config, session.options.directory
    more = tuple(directory / path for path in names.section(config).ssh_public_keys)
    user = config.cloud_config_nsg_rules.default_admin_username or config.admin_username
    return Access(user, tuple(public_keys(directory, more).decode().splitlines()))


def preview(session: Session) -> None:
    """Print the template that makes all of it, and what it amounts to, without asking Azure."""
    config, directory = session.config, session.options.directory
    vms = machines.wanted(config)
    made = build.request(config, directory, access(session), vms)
    for resource in made.resources:
        session.gate.admit(plan.local(f"make {resource['type']} {resource['name']}"))
    for line in build.summary(config, vms, made):
        session.console.say(line)
    session.console.data(json.dumps(made.template, indent=2))
