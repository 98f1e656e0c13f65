"""The portal's settings, its front door, and commands of older versions that do less now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.command()
@click.pass_obj
def webui(session: Session) -> None:
    """Write the portal's settings to deploy/dashboard/local.yaml, and make secrets it lacks.

    They come from config.yaml: domain, administrators (WebUIadminGroups), jwt, Authentications. The
    services of the job platform get them when they are started.
    """
    from dlws.portal import settings

    settings.write(session.cluster)


@click.group()
def nginx() -> None:
    """Prepare the cluster's front door: the service nginx."""


@nginx.command()
@click.pass_obj
def config(session: Session) -> None:
    """Make nginx's certificate in deploy/nginx, unless a good one is there.

    A certificate of your own goes into deploy/nginx/tls.crt and tls.key. `kubernetes start nginx`
    brings it, and nginx's settings, to the nodes.
    """
    from dlws.portal import frontdoor

    frontdoor.configure(session.cluster)


@nginx.command()
@click.pass_obj
def fqdn(session: Session) -> None:
    """Write each node's full name into its /etc/hostname-fqdn, where nginx runs."""
    from dlws.portal import frontdoor

    frontdoor.tell_names(session.cluster)


@nginx.command("webui3")
@click.pass_obj
def webui3(session: Session) -> None:
    """Say that there is nothing to copy: nginx hands / on to webui3, which serves its own pages."""
    session.console.say("nothing to do: nginx hands / on to webui3, which serves its own pages")


@click.command("set_mirror")
@click.pass_obj
def set_mirror(session: Session) -> None:
    """Show the apt_mirror_url that nodes, images and jobs use. Nothing has to be set for it."""
    mirror = session.config.apt_mirror_url
    used = f"the apt mirror is {mirror}" if mirror else "apt_mirror_url is not set: no mirror"
    session.console.say(f"nothing to do: {used}; it is taken from config.yaml where it is used")


@click.command()
@click.pass_obj
def genscripts(session: Session) -> None:
    """Check config.yaml for the scripts; they get its values when they run, so none is made."""
    session.check_config()
    session.console.say("nothing to make: scripts get the values of config.yaml when they run")
