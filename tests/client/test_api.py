"""The commands of people who submit jobs, against the real API."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest
from sqlalchemy import update

from dlws.client import Client, account
from dlws.client.transport import Transport
from dlws.core.errors import DeployError, Refused, UsageError
from jobplatform.model import names
from jobplatform.store.database import changing
from jobplatform.store.tables import jobs
from tests.support.platform.clients import PASSWORD
from tests.support.platform.commands import Person

SUBMIT = ("job", "submit", "--vc", "a", "--image", "torch:1")


def submitted(person: Person, *words: str) -> str:
    return person(*SUBMIT, *words).stdout.strip()


def put(person: Person, number: str, state: str, attempt: int = 1) -> None:
    with changing(person.engine) as connection:
        values = {"jobStatus": state, "attempt": attempt}
        connection.execute(update(jobs).where(jobs.c.jobId == number).values(values))


def test_a_person_signs_in_submits_looks_and_stops(person_with_mariadb: Person) -> None:
    person = person_with_mariadb
    person("login", person.address, "--user", "bob", stdin=f"{PASSWORD}\n")
    options = ["--vc", "b", "--image", "torch:1", "--cpu", "0.5", "--memory", "2Gi"]
    typed = ["job", "submit", *options, "--env", "A=x=y", "--", "python", "train.py", "a b"]
    number = person(*typed).stdout.strip()
    (listed,) = json.loads(person("job", "list", "--output", "json").stdout)
    assert (listed["id"], listed["name"]) == (number, "python train.py 'a b'")
    found = json.loads(person("job", "show", number, "--output", "json").stdout)
    asked = found["request"]
    assert (asked["cpu_millis"], asked["memory_mib"], asked["env"]) == (500, 2048, {"A": "x=y"})
    assert asked["command"] == "python train.py 'a b'"
    assert person("job", "stop", number).stdout == f"{number}: killing\n"
    assert "bob stopped it." in person("job", "explain", number).stdout
    assert "bob: killing: bob stopped it." in person("job", "show", number).stdout
    (vc,) = json.loads(person("vc", "list", "--output", "json").stdout)
    assert (vc["name"], vc["quota"]) == ("b", {"V100": 8})
    person("logout")
    assert "you are not signed in" in person("job", "list", code=2).stderr


def test_the_token_is_for_its_owner_alone_and_is_never_shown(person: Person) -> None:
    person("login", person.address, "--user", "bob", "-v", stdin=f"{PASSWORD}\n")
    path = account.place()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = json.loads(path.read_text())["token"]
    told = [person(*words).output for words in (
        ("job", "list"), ("vc", "list"), ("job", "list", "--output", "json", "-v"))]  # fmt: skip
    assert token not in "".join(told) and PASSWORD not in "".join(told)
    assert token not in repr(Client.signed_in().transport) and token not in repr(account.read())
    path.chmod(0o640)
    assert f"chmod 600 {path}" in person("job", "list", code=1).stderr
    path.write_text("{")
    path.chmod(0o600)
    assert "is not what `login` writes" in person("job", "list", code=2).stderr


def test_a_token_that_ended_says_how_to_sign_in(person: Person) -> None:
    person.signs_in()
    with Client.signed_in() as client:
        client.logout()
    told = person("job", "list", code=4).stderr
    assert "this token is not valid" in told and f"login {person.address}" in told
    person("logout")
    assert not account.place().exists()


@pytest.mark.parametrize("secret", ["wrong", ""])
def test_a_wrong_password_keeps_nothing(person: Person, secret: str) -> None:
    person("login", person.address, "--user", "bob", stdin=f"{secret}\n", code=4 if secret else 2)
    assert not account.place().exists()


def test_a_job_of_a_file_with_options_in_its_place(person: Person) -> None:
    person.signs_in()
    path = person.place / "job.yaml"
    path.write_text(
        "name: n\nvc: a\nimage: torch:1\ncommand: |\n  echo a\n  echo b\nenv: {A: '1'}\n"
    )
    number = person("job", "submit", str(path), "--env", "B=2", "--preemptible").stdout.strip()
    with Client.signed_in() as client:
        asked = client.job(number)["request"]
    assert asked["command"] == "echo a\necho b\n"
    assert (asked["env"], asked["preemptible"]) == ({"A": "1", "B": "2"}, True)
    one_word = submitted(person, "--", "echo $HOME && ls | wc")
    with Client.signed_in() as client:
        assert client.job(one_word)["request"]["command"] == "echo $HOME && ls | wc"


@pytest.mark.parametrize(("words", "told"), [
    (["--vc", "a", "--", "ls"], "the job has no image"),
    (["--vc", "a", "--image", "x", "--env", "A", "--", "ls"], "no NAME=VALUE"),
    (["--vc", "a", "--image", "x", "--memory", "much", "--", "ls"], "is no amount"),
    (["--vc", "a", "--image", "x", "--cpu", "x", "--", "ls"], "is no number"),
    (["--vc", "a", "--image", "a b", "--", "ls"], "image: Value error, it is no image reference"),
    (["--vc", "a", "--image", "x", "--env", "LD_PRELOAD=x", "--", "ls"], "env"),
    (["gone.yaml"], "No such file"),
])  # fmt: skip
def test_what_no_job_can_be_is_told(person: Person, words: list[str], told: str) -> None:
    person.signs_in()
    code = 1 if "gone.yaml" in words else 2
    assert told in person("job", "submit", *words, code=code).stderr


@pytest.mark.parametrize("text", ["[1]", "a: [", "\t", "- x", "1: 2"])
def test_a_file_that_describes_no_job_is_told(person: Person, text: str) -> None:
    person.signs_in()
    path = person.place / "job.yaml"
    path.write_text(text)
    told = person("job", "submit", str(path), code=2).stderr
    assert str(path) in told and "cure: write lines such as" in told


def test_what_one_may_not_is_refused(person: Person) -> None:
    person.signs_in()
    number = submitted(person, "--", "ls")
    assert "only an administrator" in person("job", "approve", number, code=4).stderr
    assert "Not Found" in person("job", "show", "../../me", code=1).stderr
    assert "there is no such job" in person("job", "show", "..", code=1).stderr
    person.signs_in("bob")
    for words in (["show", number], ["stop", number], ["logs", number]):
        assert "there is no such job" in person("job", *words, code=1).stderr


def test_pausing_and_resuming(person: Person) -> None:
    person.signs_in()
    number = submitted(person, "--", "ls")
    assert person("job", "pause", number).stdout == f"{number}: pausing\n"
    put(person, number, "paused")
    assert json.loads(person("job", "resume", number, "--output", "json").stdout) == {
        number: "unapproved"
    }
    person.signs_in("boss")
    assert person("job", "approve", number).stdout == f"{number}: queued\n"


def test_a_list_is_read_page_by_page(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlws.client.api._PAGE", 2)
    person.signs_in()
    numbers = [submitted(person, "--", "ls") for _ in range(5)]
    with Client.signed_in() as client:
        assert [one["id"] for one in client.jobs()] == numbers[::-1]
        assert [one["id"] for one in client.jobs(limit=3)] == numbers[:1:-1]
        assert client.jobs(states=["finished"]) == []


def test_a_log_is_followed_to_its_end(person: Person) -> None:
    person.signs_in()
    number = submitted(person, "--", "ls")
    kept = person.kubernetes.logs["vc-a", names.worker(number, 1, 0)] = []
    states: list[str] = []

    def later(seconds: float) -> None:
        """What happens between two looks."""
        kept.append(b"2026-01-01T00:00:0%dZ line\n" % len(kept))
        put(person, number, "running" if len(kept) < 3 else "finished")

    with Client.signed_in() as client:
        found = "".join(client.follow(number, 0, states.append, later))
    assert found == "line\n" * 3
    assert states == ["unapproved", "running", "running", "finished"]
    assert person("job", "logs", number).stdout == "line\n" * 3
    kept += [b"2026-01-01T00:00:0%dZ line %d\n" % (each, each) for each in (7, 8, 9)]
    assert person("job", "logs", "--tail", "2", number).stdout == "line 8\nline 9\n"
    assert person("job", "logs", "-f", "--tail", "1", number).stdout == "line 9\n"
    del kept[3:]
    followed = person("job", "logs", "-f", number)
    assert (followed.stdout, followed.stderr) == ("line\n" * 3, "the job is finished\n")


def test_a_dry_run_changes_nothing(person: Person) -> None:
    person("--dry-run", "login", person.address, "--user", "bob", stdin=f"{PASSWORD}\n")
    assert not account.place().exists()
    person.signs_in()
    number = submitted(person, "--", "ls")
    assert submitted(person, "--dry-run", "--", "ls") == ""
    person("job", "stop", number, "--dry-run")
    with Client.signed_in() as client:
        assert [one["status"] for one in client.jobs()] == ["unapproved"]
    person.signs_in("root")
    person("user", "password", "ann", "--dry-run", stdin=f"{PASSWORD}\n")
    person("login", person.address, "--user", "ann", stdin=f"{PASSWORD}\n", code=4)


def test_an_administrator_gives_a_password(person: Person) -> None:
    person.signs_in("root")
    person("user", "password", "ann", stdin=f"{PASSWORD}\n")
    person("login", person.address, "--user", "ann", stdin=f"{PASSWORD}\n")
    person("user", "password", "ann", stdin="another long one\n", code=4)


@pytest.mark.parametrize("address", [
    "ftp://x", "x", "http://", "https://x?a", "https://u:p@x", "https://x:99999", "http://a:b",
    "http://cluster.example.org", "https://\u00fc.example",
])  # fmt: skip
def test_addresses_that_nothing_is_sent_to(address: str) -> None:
    with pytest.raises(UsageError):
        Client(address)


def test_an_address_where_nobody_or_something_else_answers(at_home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = Client(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(DeployError, match="does not answer") as caught:
            client.me()
        with pytest.raises(DeployError, match="whether it did what was asked is not known"):
            client.submit({})
    assert "reaches it" in caught.value.cure
    with pytest.raises(UsageError, match="not signed in"):
        Client.signed_in()


def test_a_proxy_of_this_machine_is_not_asked(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for each in (name, name.upper()):
            monkeypatch.setenv(each, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    person.signs_in()
    assert person("job", "list").exit_code == 0
    for scheme in ("http", "https"):
        connection = Transport(f"{scheme}://cluster.example.org:8443")._connection()
        assert (connection.host, connection.port) == ("cluster.example.org", 8443)
        assert not connection._tunnel_host  # type: ignore[attr-defined]


def test_a_kept_connection_that_ended_is_made_anew_for_a_question(person: Person) -> None:
    with Client(person.address, person.tokens["ann"]) as client:
        client.me()
        kept = client.transport._kept
        assert kept is not None
        kept.sock.shutdown(socket.SHUT_RDWR)
        assert client.me()["user"] == "ann"


def test_one_that_the_server_ended_meanwhile_is_made_anew_for_an_order(person: Person) -> None:
    """nginx ends them after a minute: then a program could not submit, and not know whether it
    had."""
    with (
        Client(person.address, person.tokens["ann"]) as client,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        kept = client.transport._connection()
        kept.sock, client.transport._kept = ours, kept
        theirs.close()
        client.logout()
        assert client.transport._kept is not kept
        with pytest.raises(Refused, match="not valid"):
            client.me()


def test_what_is_not_the_api_is_told(person: Person) -> None:
    beside, stranger = Client(f"{person.address}/x"), Client(person.address, "x" * 30)
    with beside, pytest.raises(DeployError, match="Not Found"):
        beside.me()
    with stranger, pytest.raises(Refused, match="not valid"):
        stranger.vcs()
