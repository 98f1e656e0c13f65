"""All questions to a node in one round trip, and nothing but reads."""

from __future__ import annotations

import base64
import io
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from dlws.config.reading.load import inspect
from dlws.core import resources
from dlws.core.connection import Result
from dlws.core.errors import CheckFailed, DeployError
from dlws.nodes.questions import parse
from dlws.verify import collect, run
from dlws.verify.compare import expected
from dlws.verify.things import Question
from tests.support.fakes import World
from tests.support.judge import known_of, session


def questions_in(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in files.items() if file}


def answer(_: str, archive: bytes) -> Result:
    """Every question is answered with nothing; the first one, for the hosts file, as well."""
    number = sum(name.endswith(".in") for name in questions_in(archive))
    return Result(0, b"".join(b"%d 0  \n" % n for n in range(number)))


def test_one_round_trip_to_each_node(world: World) -> None:
    for fake in world.fakes.values():
        fake.rules.append(answer)
    sources = inspect(world.cluster.directory).sources
    outcomes = run.look(world.cluster, world.cluster.nodes, sources)
    assert [len(fake.asked) for fake in world.fakes.values()] == [1, 1, 1]
    found = [outcome.value.findings for outcome in outcomes if outcome.value]
    assert [{finding.what.split()[0] for finding in node} for node in found] == [
        {"/etc/hosts"},
        {"/etc/hosts"},
        {"/etc/hosts"},
    ]
    lines = inspect(world.cluster.directory).sources.documents[0].lines
    for finding in found[0][:3]:
        name = finding.key.removeprefix("machines.")
        assert f"  {name}:" in lines[int(finding.place.split(":")[1]) - 1]


def test_what_differs_ends_with_5(
    make: Callable[..., World], capsys: pytest.CaptureFixture[str]
) -> None:
    world = make()
    for fake in world.fakes.values():
        fake.rules.append(answer)
    with pytest.raises(CheckFailed, match="differences on 3 of 3 nodes"):
        run.verify(session(world), world.cluster.nodes, False, "text")
    assert (
        "config.yaml:7:3: infra01,worker[01-02]: file /etc/hosts infra01 "
        in capsys.readouterr().out
    )


def test_what_is_asked(world: World) -> None:
    known = replace(known_of(world), keys=b"ssh-ed25519 AAAA x\n")
    node = world.cluster.nodes[1]
    asked = collect.questions(world.cluster, node, known, expected(world.cluster, node, known))
    files = questions_in(collect.archive(asked))
    commands = {question.name: question.command for question in asked}
    assert {"hosts", "files", "runtime", "kubernetes", "sshkey", "dns.sh"} <= set(commands)
    assert files["0.sh"] == b"cat /etc/hosts" and "lib/common.sh" in files
    scripts = [command for name, command in commands.items() if name.endswith(".sh")]
    assert scripts and all(command.startswith("env DLWS_CHECK=1 ") for command in scripts)
    assert files[f"{list(commands).index('sshkey')}.in"] == known.keys
    assert b"set_resolver" in files["dns.sh"]


@pytest.mark.sandbox
def test_state_runs_each_question_with_its_own_input(world: World) -> None:
    """The real thing, as root on this machine."""
    asked = [
        Question("a", "cat; echo e >&2; exit 3", b"in\x00put"),
        Question("b", "printf '%s' \"$(cat)\"; pwd | grep -c dlws-verify"),
    ]
    archive = collect.archive(asked)
    path = resources.templates() / "verify/state.sh"
    done = subprocess.run(["sh", path], input=archive, capture_output=True, check=True)
    answers = parse(done.stdout.decode(), ["a", "b"])
    assert answers["a"] == Result(3, b"in\x00put", b"e\n")
    assert answers["b"].text == "1"


def test_answers_that_are_cut_off_are_refused() -> None:
    text = f"0 0 {base64.b64encode(b'x').decode()} \n"
    assert parse(text, ["a"])["a"].out == b"x"
    with pytest.raises(DeployError, match="asked 2 questions, got 1 answers"):
        parse(text, ["a", "b"])
