"""Signing in on a machine without a browser, by `dlws login ADDRESS` alone."""

from __future__ import annotations

import getpass
import json
import platform
import re
from typing import Any

import pytest

from dlws.client import Client, account, grant
from dlws.client.transport import Passing, Told, Transport
from dlws.core.errors import DeployError, Refused
from tests.support.platform.clients import PASSWORD
from tests.support.platform.commands import Person

PATH = "/api/v1/device-grants"


def answers(person: Person, monkeypatch: pytest.MonkeyPatch, who: str, approve: bool) -> list[str]:
    """While the program waits, a person types its code in the portal. What it had said by then."""
    codes: list[str] = []
    begin, wait = grant.begin, grant.wait

    def begun(transport: Transport, name: str) -> grant.Asked:
        found = begin(transport, name)
        codes.append(found.code)
        return found

    def answered(seconds: float) -> None:
        with Client(person.address, person.tokens[who]) as told:
            given = {"user_code": codes[0], "approve": approve}
            told.transport.ask("POST", f"{PATH}/answer", given)

    monkeypatch.setattr(grant, "begin", begun)
    monkeypatch.setattr(grant, "wait", lambda way, asked: wait(way, asked, answered))
    return codes


def test_a_code_is_shown_typed_and_the_token_kept(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = answers(person, monkeypatch, "ann", True)
    told = person("login", person.address, "-v")
    assert "https://portal.example.org/device" in told.stderr and codes[0] in told.stderr
    assert re.search(r"whether \S+@\S+ may act as you", told.stderr)
    assert "signed in as ann" in told.stdout
    kept = json.loads(account.place().read_text())
    assert (kept["user"], kept["token"] not in told.output) == ("ann", True)
    assert person("job", "list").exit_code == 0


def test_json_alone_is_on_standard_output(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(person, monkeypatch, "bob", True)
    assert json.loads(person("login", person.address, "--output", "json").stdout)["user"] == "bob"


def test_a_refusal_is_told_and_nothing_is_kept(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(person, monkeypatch, "ann", False)
    assert "the person refused this" in person("login", person.address, code=4).stderr
    assert not account.place().exists()


def test_a_dry_run_asks_nobody(person: Person) -> None:
    told = person("--dry-run", "login", person.address)
    assert "code" in told.output and not account.place().exists()


def test_a_name_and_a_token_are_not_asked_for_at_once(person: Person) -> None:
    told = person("login", person.address, "--user", "a", "--token", code=2, stdin=PASSWORD)
    assert "or none of them" in told.output


class Answers:
    """What a platform answers, one after the other; how long was waited before each."""

    address, token = "https://x", ""

    def __init__(self, *found: Any) -> None:
        self.found, self.waited, self.now = list(found), list[float](), 0.0

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        one = self.found.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds

    def wait(self, seconds: int = 600, pace: int = 5) -> str:
        asked = grant.Asked("d" * 20, "BCDF-GHJK", "https://p/device", seconds, pace)
        return grant.wait(self, asked, self.sleep, lambda: self.now)  # type: ignore[arg-type]


def pending() -> Told:
    return Told("authorization_pending", "not yet")


def test_it_asks_as_slowly_as_it_is_told_and_outlasts_an_outage() -> None:
    told = Answers(pending(), Told("slow_down", "x"), pending(), Passing("away"),
                   {"access_token": "t"})  # fmt: skip
    assert told.wait() == "t" and told.token == "t"
    assert told.waited == [5, 5, 10, 10, 15]


@pytest.mark.parametrize("word", ["access_denied", "expired_token", "invalid_grant", "new_word"])
def test_what_ends_it_says_what_to_do(word: str) -> None:
    with pytest.raises(Refused) as found:
        Answers(pending(), Told(word, "words")).wait()
    assert found.value.message == "words" and found.value.cure


def test_nobody_waits_for_ever() -> None:
    told = Answers(*(pending() for _ in range(200)))
    with pytest.raises(Refused, match="nobody answered in time"):
        told.wait(60)
    assert sum(told.waited) == 60


GOOD = {"device_code": "d" * 20, "user_code": "BCDF-GHJK", "verification_uri": "https://p/device",
        "expires_in": 600, "interval": 5}  # fmt: skip


def begin(**change: Any) -> grant.Asked:
    return grant.begin(Answers({**GOOD, **change}), "x")  # type: ignore[arg-type]


def test_what_is_shown_of_an_answer_steers_no_terminal() -> None:
    found = begin(user_code="\x1b]0;x\x07AB", verification_uri="https://p/\x1b[2J\n" + "x" * 999,
                  expires_in=10**9, interval=-1)  # fmt: skip
    assert "\x1b" not in found.code + found.address and "\n" not in found.address
    assert (found.seconds, found.pace, len(found.address)) == (3600, 1, 300)
    assert found.device not in repr(found)


@pytest.mark.parametrize("change", [{"verification_uri": "javascript:x"}, {"user_code": None},
                                    {"expires_in": "x"}, {"interval": None}])  # fmt: skip
def test_an_answer_that_is_none_is_said(change: dict[str, Any]) -> None:
    if change == {"user_code": None}:
        with pytest.raises(DeployError):
            grant.begin(Answers({k: v for k, v in GOOD.items() if k != "user_code"}), "x")  # type: ignore[arg-type]
        return
    with pytest.raises(DeployError):
        begin(**change)


def test_machines_have_plain_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr(platform, "node", lambda: "é b.local")
    monkeypatch.setattr(getpass, "getuser", lambda: "-ann")
    assert grant.machine() == "ann@--b.local"
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert grant.machine() == "user@--b.local"
