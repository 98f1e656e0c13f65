"""The platform behind the real nginx with the settings of a cluster, over https with a CA of its
own: signing in on a machine without a browser, from the first question to the token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import Engine, update

from dlws.client import account, grant
from dlws.client.transport import Told, Transport
from dlws.core.errors import Refused
from jobplatform.api.app import create as create_api
from jobplatform.model.signin import SignIn
from jobplatform.portal.app import create
from jobplatform.portal.backend import Http
from jobplatform.store import people
from jobplatform.store.database import changing, now
from jobplatform.store.tables import grants as table
from tests.support.platform import nginxes
from tests.support.platform.clients import PASSWORD, settle
from tests.support.platform.commands import Person
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.platform.nginxes import HOST, Nginx
from tests.support.platform.portals import Browser, read
from tests.support.platform.served import on_a_port
from tests.support.sshd import free_port

PATH = "/api/v1/device-grants"


@dataclass
class Cluster:
    nginx: Nginx
    engine: Engine
    tokens: dict[str, str]

    def program(self) -> Transport:
        return Transport(f"{self.nginx.address}/apis", ca_file=str(self.nginx.ca))

    def browser(self) -> Browser:
        return Browser(httpx2.Client(base_url=self.nginx.address, verify=self.nginx.trust))

    def approves(self, asked: grant.Asked, answer: str = "approve") -> str:
        """Somebody opens the address that the program shows, signs in there and types the code."""
        shown = urlsplit(asked.address)
        assert f"{shown.scheme}://{shown.netloc}" == self.nginx.address
        one = self.browser()
        with one.client:
            assert one.get(shown.path).headers["location"] == "/sign-in?next=%2Fdevice"
            given = {"user": "ann", "password": PASSWORD, "next": shown.path}
            assert one.post("/sign-in", given).headers["location"] == shown.path
            page = one.post(shown.path, {"code": asked.code}, shown.path).text
            assert asked.code in page
            given = {"code": asked.code, "answer": answer}
            return read(one.post("/device/answer", given, shown.path).text).text


@pytest.fixture
def cluster(database: Engine, tmp_path: Path) -> Iterator[Cluster]:
    tokens, made = settle(database), nginxes.rendered(tmp_path)
    assert made.address == f"https://{HOST}"
    ports = [free_port() for _ in range(3)]
    told = SignIn(address=f"{made.address}:{ports[1]}")  # on a cluster, it is the usual one
    with changing(database) as connection:
        people.set_password(connection, "ann", PASSWORD)
    with ExitStack() as stack:
        api = stack.enter_context(on_a_port(lambda _: create_api(database, told=told)))
        portal = stack.enter_context(on_a_port(lambda _: create(Http(api))))
        nginx = stack.enter_context(nginxes.serving(made, api, portal, tmp_path, ports))
        yield Cluster(nginx, database, tokens)


@pytest.fixture
def program(cluster: Cluster) -> Iterator[Transport]:
    made = cluster.program()
    yield made
    made.close()


def between(*happens: Callable[[], Any]) -> Callable[[float], None]:
    """What happens while a program waits between its questions, one after the other."""
    left = list(happens)
    return lambda seconds: left.pop(0)()


def asked_long_ago(cluster: Cluster, **values: Any) -> None:
    with changing(cluster.engine) as connection:
        connection.execute(update(table).values(asked=0, **values))


def test_a_person_signs_in_by_the_command_and_the_portal(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command as it is typed, and the page as its address is shown."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    begin, wait, begun = grant.begin, grant.wait, list[grant.Asked]()

    def beginning(transport: Transport, name: str) -> grant.Asked:
        begun.append(begin(transport, name))
        return begun[0]

    def waits(_: float) -> None:
        cluster.approves(begun[0])

    monkeypatch.setattr(grant, "begin", beginning)
    monkeypatch.setattr(grant, "wait", lambda way, asked: wait(way, asked, waits))
    address = f"{cluster.nginx.address}/apis"
    person = Person(address, cluster.engine, cluster.tokens, FakeKubernetes(), tmp_path)
    told = person("login", address, "--ca-file", str(cluster.nginx.ca))
    assert begun[0].address == f"{cluster.nginx.address}/device" and begun[0].address in told.stderr
    assert "signed in as ann" in told.stdout
    assert json.loads(account.place().read_text())["user"] == "ann"
    assert person("job", "list").exit_code == 0
    assert person("login", address, code=1).stderr.count("--ca-file") == 1  # an unknown authority


def test_a_slow_program_outlasts_connections_that_nginx_ends(
    cluster: Cluster, program: Transport
) -> None:
    """nginx ends what is kept after a minute; a program that was told to be slow asks so seldom."""
    asked = grant.begin(program, "ann@laptop")
    kept = [program._kept]

    def nginx_ends() -> None:
        asked_long_ago(cluster)
        cluster.nginx.end_kept_connections()
        kept.append(program._kept)

    pauses = between(lambda: None, nginx_ends, nginx_ends, lambda: cluster.approves(asked))
    program.token = grant.wait(program, asked, pauses)
    assert program.ask("GET", "/api/v1/me")["user"] == "ann"
    assert len({id(one) for one in (*kept, program._kept)}) > 1


def test_nginx_passes_on_who_is_hasty_and_who_guesses(cluster: Cluster, program: Transport) -> None:
    asked = grant.begin(program, "ann@laptop")
    words = []
    for _ in range(3):
        with pytest.raises(Told) as found:
            program.ask("POST", f"{PATH}/token", {"device_code": asked.device})
        words.append(found.value.word)
    assert words == ["authorization_pending", "slow_down", "slow_down"]
    one = cluster.browser()
    with one.client:
        one.post("/sign-in", {"user": "ann", "password": PASSWORD})
        answers = [one.post("/device", {"code": "BBBB-BBBB"}, "/device") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [404] * 10 + [429]
    assert answers[-1].headers["retry-after"] == "600"


@pytest.mark.parametrize("kind", ["refused", "expired"])
def test_a_code_that_is_refused_or_too_old_ends_the_program(
    cluster: Cluster, program: Transport, kind: str
) -> None:
    asked = grant.begin(program, "ann@laptop")

    def expires() -> None:
        with changing(cluster.engine) as connection:
            at = now(connection)
        asked_long_ago(cluster, expires=at - 1)

    ends = {"refused": lambda: cluster.approves(asked, "refuse"), "expired": expires}[kind]
    with pytest.raises(Refused) as found:
        grant.wait(program, asked, between(ends))
    words = {"refused": "the person refused this", "expired": "nobody answered in time"}[kind]
    assert words in found.value.message and found.value.cure
    assert program.token == ""


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded"])
def test_nobody_leads_a_person_to_another_address(cluster: Cluster, name: str) -> None:
    """The address that is shown is the administrator's, whatever a request says of itself."""
    value = "host=evil.example.net" if name == "Forwarded" else "evil.example.net"
    with cluster.browser().client as client:
        answer = client.post(f"/apis{PATH}", json={"machine": "x"}, headers={name: value})
        assert answer.json()["verification_uri"] == f"{cluster.nginx.address}/device"
        moved = client.get("/device", headers={name: value}, follow_redirects=False)
        assert moved.headers["location"] == "/sign-in?next=%2Fdevice"
