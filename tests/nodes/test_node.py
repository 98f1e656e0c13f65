"""The three verbs of a node: run and put may change it, read never does."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from dlws.config import from_text
from dlws.core.connection import Result
from dlws.core.errors import DeployError, UsageError
from dlws.core.limits import ANSWER, OWN, PATIENT
from dlws.nodes.node import CommandFailed, Login, Node, NotKept, SudoRefused
from dlws.shell import files, recorder
from dlws.shell.files import File
from dlws.shell.sudo import as_root, root_stdin
from tests.support.fakes import Answer, Fake
from tests.support.invocations import unrecorded
from tests.support.simulated import SimulatedNode
from tests.support.statuses import told_statuses

CONFIG = "cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n"


def node_of(connection: Any, login: Login | None = None, **options: Any) -> Node:
    machine = from_text(CONFIG).machines["i1"]
    return Node(machine, "10.0.0.1", connection, login or Login(), unrecorded(**options))


def answering(*answers: Result) -> Answer:
    """One answer after the other, whatever is asked."""
    left = list(answers)
    return lambda command, stdin: left.pop(0)


def test_a_command_goes_as_it_is_and_as_root_by_sudo_with_the_password_on_standard_input() -> None:
    fake = Fake()
    node = node_of(fake, Login("eve", "pass"))
    node.read("id", stdin=b"in")
    node.read("id", stdin=b"in", sudo=True)
    assert fake.asked == [
        ("id", b"in"),
        (as_root("id", "eve", "pass"), root_stdin(b"in", "eve", "pass")),
    ]


def test_root_needs_no_password_though_there_is_one() -> None:
    fake = Fake()
    node_of(fake, Login("root", "pass")).read("id", stdin=b"in", sudo=True)
    assert fake.asked == [(as_root("id", "root", None), b"in")]


@pytest.mark.parametrize("verb", ["run", "read"])
def test_a_failure_quotes_its_last_lines_under_its_title(verb: str) -> None:
    result = Result(3, b"", b"1\n2\n3\n4\n5\n6\n")
    node = node_of(Fake(rules=[lambda *_: result]))
    with pytest.raises(CommandFailed) as caught:
        getattr(node, verb)("false", title="do it")
    assert caught.value.message == "exit 3 from: do it\n    2\n    3\n    4\n    5\n    6"
    assert caught.value.result == result
    assert getattr(node, verb)("false", check=False) == result


def test_a_program_of_ours_is_not_shown_where_it_fails() -> None:
    """A forced command that answered politely made `status` print 35 lines of our script."""
    polite = Result(142, b'Please login as the user "ubuntu" rather than the user "root".\n', b"")
    node = node_of(Fake(rules=[lambda *_: polite]))
    for program in ("if true; then\n echo no\nfi", "x" * 500):
        with pytest.raises(CommandFailed) as caught:
            node.read(program)
        assert program not in caught.value.message and "ubuntu" in caught.value.message
        assert caught.value.message.startswith("exit 142 from: a question that dlws asks")
    with pytest.raises(CommandFailed, match="exit 142 from: uptime"):
        node.read("uptime")


def test_sudo_that_refuses_is_told_apart_from_a_command_that_fails() -> None:
    refusal = Result(1, b"", b"sudo: a password is required\n")
    node = node_of(Fake(rules=[lambda *_: refusal]), Login("eve"))
    with pytest.raises(SudoRefused, match="sudo refuses eve: sudo: a password is required"):
        node.read("id", sudo=True, check=False)
    assert node.read("id", check=False) == refusal


def test_a_command_whose_outcome_has_no_place_was_not_run() -> None:
    full = Result(125, b"", b"dlws: the outcome of a command cannot be kept in /x: disk full\n")
    with pytest.raises(NotKept, match="cannot be kept in /x") as caught:
        node_of(Fake(rules=[lambda *_: full])).run("touch /x")
    assert "make room" in caught.value.cure


def test_a_command_whose_input_was_taken_is_no_matter_of_room() -> None:
    said = f"dlws: not run: {recorder.CUT_SHORT}\n".encode()
    with pytest.raises(NotKept, match="not run: a part of its input") as caught:
        node_of(Fake(rules=[lambda *_: Result(125, b"", said)])).run("touch /x")
    assert "make room" not in caught.value.cure and "</dev/null" in caught.value.cure


def test_what_still_holds_the_output_of_a_command_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = b"dlws: it has ended with 0; still at work, its output thrown away: pid 7 (sleep 9)\n"
    assert node_of(Fake(rules=[answering(Result(0, b"", left))])).run("x", title="run x.sh").ok
    assert "i1: run x.sh: it has ended with 0; still at work" in capsys.readouterr().err
    fake = Fake(rules=[answering(Result(0, held=True), Result(0, b"pid 7 (sleep 9)\n"))])
    assert node_of(fake).execute("sleep 9 &").ok
    assert fake.asked[1] == (recorder.LEFT, b"")
    said = capsys.readouterr().err
    assert "i1: sleep 9 &: it has ended with 0" in said and "pid 7 (sleep 9)" in said


def test_a_dry_run_runs_nothing_and_reads_all_the_same() -> None:
    fake = Fake()
    node = node_of(fake, dry_run=True)
    assert node.run("touch /x") == node.execute("touch /y") == Result(0)
    assert fake.asked == []
    node.read("cat /x")
    assert [command for command, _ in fake.asked] == ["cat /x"]
    assert [action.kind for action in node.gate.actions] == ["run", "run"]


def test_files_are_placed_where_they_differ_and_are_said_to_be_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    box = SimulatedNode("i1", files={"/same": (b"same", 0o644, "root:root")})
    tree = [File("/same", b"same"), *(File(f"/{n}", b"new", 0o600, "a") for n in range(5))]
    node = node_of(box)
    assert node.put_tree(tree) == ["/0", "/1", "/2", "/3", "/4"]
    assert box.files["/4"] == (b"new", 0o600, "a:a")
    assert capsys.readouterr().err == "i1: changed: /0, /1, /2 and 2 more\n"
    assert node.put_tree(tree) == []
    assert node.put("same", "/same") is False
    assert node.put("other", "/same", 0o640) is True
    assert box.files["/same"] == (b"other", 0o640, "root:root")
    assert node.put_tree([]) == []


def test_only_what_differs_is_sent() -> None:
    there = File("/there", b"x")
    states = f"{there.state}\n- - -\n".encode()
    fake = Fake(rules=[answering(Result(0, states), Result(0))])
    node_of(fake).put_tree([there, File("/new", b"y")])
    (_, _), (command, sent) = fake.asked
    assert command == as_root(files.PLACE, "root", None)
    with tarfile.open(fileobj=io.BytesIO(sent)) as tar:
        content = {entry.name: tar.extractfile(entry) for entry in tar}
        assert {name: file.read() for name, file in content.items() if file} == {
            "0": b"y", "list": b"644 root:root 0 /new.\n",
        }  # fmt: skip


def test_what_follows_from_files_that_were_begun_is_due_though_they_are_in_place() -> None:
    file = File("/x", b"1")
    node = node_of(SimulatedNode("i1", files={"/x": (b"1", 0o644, "root:root")}))
    assert node.put_tree([file]) == []
    node.had_begun({("/x", file.sha256)})
    assert node.put_tree([file]) == ["/x"]
    node.had_begun({("/x", "of another content")})
    assert node.put_tree([file]) == []


def test_an_answer_that_is_cut_off_places_nothing() -> None:
    fake = Fake(rules=[lambda *_: Result(0, b"- - -\n")])
    with pytest.raises(DeployError, match="asked for the state of 2 files, got 1"):
        node_of(fake).put_tree([File("/x", b""), File("/y", b"")])
    assert len(fake.asked) == 1


def test_contents_are_read_only_where_lines_are_wanted() -> None:
    for diff, questions in ((None, 1), (False, 1), (True, 2)):
        box = SimulatedNode("i1")
        options: dict[str, Any] = {} if diff is None else {"diff": diff}
        node = node_of(box, dry_run=True, **options)
        node.put("a\n", "/x")
        assert box.questions == questions
        assert bool(node.gate.actions[0].details) == bool(diff)


def test_the_difference_of_files_is_that_of_those_which_differ() -> None:
    box = SimulatedNode("i1")
    box.files |= dict.fromkeys(("/x", "/y"), (b"old\n", 0o644, "root:root"))
    node = node_of(box, dry_run=True, diff=True)
    lines = node.difference([File("/x", b"old\n"), File("/y", b"new\n")])
    assert lines[2:] == ["@@ -1 +1 @@", "-old", "+new"]
    with pytest.raises(DeployError, match="asked for the state of 1 files, got 2 answers"):
        node_of(Fake(rules=[lambda *_: Result(0, b"- - -\n- - -\n")])).difference([File("/x", b"")])


def test_lines_of_a_script_that_report_changes_are_counted() -> None:
    node = node_of(Fake())
    node.count_changes(b"changed: one\nunchanged: x\n changed: no\nchanged: caf\xe9\n")
    assert node._console.changes == ["i1: one", "i1: caf\ufffd"]


@pytest.mark.parametrize(("user", "sudo", "root"), [
    ("root", False, True), ("root", True, True), ("eve", False, False), ("eve", True, True),
])  # fmt: skip
def test_who_runs_a_command(user: str, sudo: bool, root: bool) -> None:
    assert node_of(Fake(), Login(user)).is_root(sudo) is root


def test_a_question_has_bounds_and_what_a_person_runs_has_none() -> None:
    fake = Fake()
    node = node_of(fake)
    node.read("x")
    node.read("x", bounds=PATIENT)
    node.read("x", bounds=None)
    node.execute("x")
    node.run("x")
    states = f"{64 * '0'} 644 root:root\n"
    fake.rules.append(lambda command, _: Result(0, states.encode()))
    node.put("x", "/x")
    assert fake.bounds == [ANSWER, PATIENT, None, OWN, None, PATIENT, None]


def test_a_command_reports_so_many_changes_and_no_more() -> None:
    node = node_of(Fake())
    node.count_changes(b"changed: x\n" * 100_000 + b"changed: y\x0bchanged: z\n")
    assert len(node._console.changes) == 1000
    node.count_changes(b"changed: y\x0bchanged: z\n")
    assert node._console.changes[-1] == "i1: y\x0bchanged: z"


def test_what_a_failure_quotes_is_bounded() -> None:
    node = node_of(Fake(rules=[lambda *_: Result(3, b"", b"x" * 1_000_000)]))
    with pytest.raises(CommandFailed) as caught:
        node.read("false")
    assert len(caught.value.message) < 20_000


def test_the_content_of_many_files_is_asked_for_in_several_goes() -> None:
    box = SimulatedNode("i1")
    for number in range(150):
        box.files[f"/{number}"] = (b"old %d\n" % number, 0o644, "root:root")
    node = node_of(box, dry_run=True, diff=True)
    node.put_tree([File(f"/{number}", b"new\n") for number in range(150)])
    assert box.questions == 1 + 3
    details = [action.details for action in node.gate.actions]
    assert all(f"-old {number}" in lines for number, lines in enumerate(details))


def test_one_node_alone_shows_what_it_is_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copying images or collecting garbage takes minutes, and is work on one node."""
    told = told_statuses(monkeypatch)
    node = node_of(Fake(rules=[lambda *_: Result(0, b"- - -\n")]))
    node.read("id")
    node.run("cp", title="copy images")
    node.execute("true")
    node.put("x", "/etc/x")
    assert [text.partition(",")[0] for text in told] == [
        "i1: asking it", "i1: copy images", "i1: asking it", "i1: asking it", "i1: write files",
    ]  # fmt: skip
    node.read("id", echo=lambda name, data: None)
    with node._console.status(lambda: "7/9 done"):
        told.clear()
        node.read("id")
    assert told == []


def test_what_needs_ssh_says_so_where_there_is_none() -> None:
    with pytest.raises(UsageError, match="i1 is not reached over SSH"):
        _ = node_of(Fake()).ssh
