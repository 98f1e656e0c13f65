"""The job platform's first administrator, and the job by which a rehearsal shows that it runs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dlws.client.api import Client
from dlws.client.transport import Passing
from dlws.core.errors import DeployError, Refused
from dlws.core.localfiles import write
from dlws.core.program import PROGRAM
from dlws.core.text import split_lines
from dlws.database import users
from dlws.images import names
from dlws.portal import frontdoor, keys
from dlws.runs.plan import local

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.session import Session

PASSWORD = f"{keys.PLACE}/portal.password"
RAN = f"{keys.PLACE}/first-job"
"""Its number, once it has run."""
JOB = "first-job"
IMAGE = "platform"
"""It has a shell, and its registry has it: the platform runs on it."""
COMMAND = 'echo "job $DLWS_JOB_ID runs on $(hostname) as uid $(id -u)"; echo hello >/job/hello'
_TRIES, _PATIENCE = 30, 300
"""Seconds for an API that has just started to answer, and for the job."""


def administrator(session: Session) -> None:
    """Give the first of WebUIadminGroups a password, where that person has none yet."""
    cluster, console = session.cluster, session.console
    found = users.administrators(cluster.config)
    if not found:
        console.say("nothing to do: WebUIadminGroups in config.yaml names nobody to sign in as")
        return
    with _asking(cluster) as client:
        client.transport.token = _kept(cluster, f"{keys.PLACE}/{keys.ADMIN_TOKEN}")
        known = {one["name"]: one for one in client.users()}
        if found[0] not in known:
            raise DeployError(
                f"{found[0]} of WebUIadminGroups is not in the database", f"run: {PROGRAM} db init"
            )
        if known[found[0]]["password"]:
            console.say(f"nothing to do: {found[0]} has a password")
        elif session.gate.admit(local(f"give {found[0]} a password, and keep it in {PASSWORD}")):
            client.set_password(found[0], _password(cluster))
            console.changed(f"gave {found[0]} a password, which is in {PASSWORD}")


def _password(cluster: Cluster) -> str:
    """The password in the file, which is made where it is missing: before anybody is told it."""
    path = cluster.directory / PASSWORD
    if not path.exists():
        cluster.run.journal()
        cluster.run.vault.write(path, secrets.token_urlsafe(18).encode())
    return _kept(cluster, PASSWORD)


def _kept(cluster: Cluster, name: str) -> str:
    found = cluster.run.vault.read(cluster.directory / name).decode().strip()
    cluster.run.console.redactor.add([found])
    return found


def _asking(cluster: Cluster) -> Client:
    """The platform's API behind nginx, once that answers."""
    address, ca_file = frontdoor.way(cluster)
    client = Client(address, ca_file=ca_file)
    for left in reversed(range(_TRIES)):
        try:
            client.ready()
            break
        except Passing:  # all else would be the same the next time
            if not left:
                raise
            time.sleep(1)
    return client


def first_job(session: Session) -> None:
    """Submit a job as the first administrator would, unless one has run; print its log."""
    cluster, console = session.cluster, session.console
    found = users.administrators(cluster.config)
    if not found or not (cluster.directory / PASSWORD).exists():
        console.say(f"no job is submitted: there is no {PASSWORD} to sign in with")
        return
    vc = session.config.default_virtual_cluster_name
    with _asking(cluster) as client:
        client.transport.token = _kept(cluster, f"{keys.PLACE}/{keys.ADMIN_TOKEN}")
        if _has_run(cluster, client):
            console.say(f"nothing to do: the job {JOB} has run")
        elif session.gate.admit(local(f"submit the job {JOB} to {vc} as {found[0]}")):
            try:
                client.login(found[0], _kept(cluster, PASSWORD))
            except Refused:
                console.say(f"no job is submitted: {found[0]} has another password by now")
                return
            _run(session, client, vc)
            client.logout()


def _has_run(cluster: Cluster, client: Client) -> bool:
    """Whether the job whose number is kept is one of this platform's, and has ended well."""
    path = cluster.directory / RAN
    try:
        return path.exists() and client.job(path.read_text())["status"] == "finished"
    except DeployError:  # the platform was made anew meanwhile
        return False


def _run(session: Session, client: Client, vc: str) -> None:
    console = session.console
    number = client.submit({
        "name": JOB, "vc": vc, "image": names.reference(session.config, IMAGE),
        "command": COMMAND, "cpu_millis": 100, "memory_mib": 64,
    })  # fmt: skip
    told = "".join(client.follow(number, wait=_patient(client, number)))
    _expect(client, number, "finished")
    write(session.options.directory / RAN, number.encode())
    console.changed(f"ran the job {JOB} ({number}) in {vc}")
    console.say("\n".join(["its log:", *(f"  {line}" for line in split_lines(told))]))


def _patient(client: Client, number: str) -> Callable[[float], None]:
    deadline = time.monotonic() + _PATIENCE

    def wait(seconds: float) -> None:
        if time.monotonic() > deadline:
            _expect(client, number, "", f" after {_PATIENCE} s")
        time.sleep(seconds)

    return wait


def _expect(client: Client, number: str, state: str, when: str = "") -> None:
    """DeployError with the reason where the job is in another state."""
    found = client.job(number)
    if found["status"] != state:
        why = found["reason"]["sentence"] if found["reason"] else "nobody looked at it yet"
        raise DeployError(
            f"the job {JOB} is {found['status']}{when}: {why}",
            f"sign in ({PROGRAM} login), then look: {PROGRAM} job show {number}",
        )


def where(session: Session) -> list[str]:
    """How people reach the platform, in lines."""
    config, cluster = session.config, session.cluster
    address, ca_file = frontdoor.way(cluster)
    portal = address.removesuffix("/apis")
    who = next(iter(users.administrators(config)), "NAME")
    options = ["--ca-file", ca_file] if ca_file else []
    lines = [
        "to submit jobs:",
        f"  {portal}/   (the portal, for a browser)",
        f"  {session.options.line('login', address, '--user', who, *options)}",
        f"  {session.options.line('job', 'submit', '--help')}",
    ]
    if (cluster.directory / PASSWORD).exists():
        lines.append(f"  the password of {who} is in {cluster.directory / PASSWORD}")
    return lines
