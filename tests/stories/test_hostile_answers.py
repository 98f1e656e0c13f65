"""Whatever a node answers, what reads it gives a value or a DeployError, and soon."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlws.check import show
from dlws.check.facts import Facts, parse
from dlws.config import from_text
from dlws.config.mounts import mounts_of
from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.core.text import split_lines
from dlws.kubeadm import controlplane, encryption
from dlws.kubernetes import status
from dlws.kubernetes.status import Row
from dlws.nodes import nodelock, questions, resume
from dlws.nodes.node import Login, Node
from dlws.prepare import hosts, runtime
from dlws.registry import gc as registry_gc
from dlws.registry import status as registry_status
from dlws.shell import files, recorder
from dlws.shell.files import File
from dlws.storage import mount
from dlws.storage import status as shares_of
from tests.support.facts import GPU, INFRA, SECOND, TEXT, WORKER
from tests.support.fakes import CONFIG, Fake, World
from tests.support.hostile import BREAKS, answers, each_replaced
from tests.support.invocations import unrecorded
from tests.support.judge import UNITS, Judge, known_of
from tests.support.locks import who
from tests.support.shares import TEXT as SHARED

FILES = [File("/a", b"1\n"), File("/b", b"2\n", 0o600, "x:y z"), File("/c", b"3\n")]
STATES = f"{FILES[0].state}\n{FILES[1].state}\n- - -"
LOCK = f"held\n1000 995\n{json.dumps(who('aa', 'here'))}\n925"
CODED = base64.b64encode(b"old\n").decode()
ANSWERS = f"0 0 {CODED} \n1 5  {CODED}\n2 0 {CODED} {CODED}"
OPERATIONS = [f"{number:024x}" for number in range(3)]
SETTLED = f"{OPERATIONS[0]} runs\n{OPERATIONS[0]} 0\n{OPERATIONS[1]} died\n{OPERATIONS[2]} never"
TOLD = """os=Debian GNU/Linux 12 (bookworm)
architecture=aarch64
runtime=containerd active
gpu=nvidia0
background=a.py|4711||/var/lib/dlws/background/a.py/log"""
PRESENT = "present=yes\nmode=644\ndevice=yes\nkept=yes\nrestart=no\n\n"
CRI = '[plugins."io.containerd.grpc.v1.cri".registry]'
TOML = f"{PRESENT}version = 2\n{CRI}\nconfig_path = 'x'\n"
JSON = PRESENT + '{"exec-opts": ["a=b"], "runtimes": {"nvidia": {"path": "x"}}}'
HOSTS = f"127.0.0.1 localhost\n{hosts.BEGIN}\n10.0.0.1 i1\n{hosts.END}\n::1 x # y\n"
CHECKED = from_text(TEXT)


def node_of(answer: str) -> Node:
    """A node that answers so whatever it is asked."""
    said = Fake(rules=[lambda *_: Result(0, answer.encode())])
    return Node(CHECKED.machines["infra01"], "10.1.0.1", said, Login(), unrecorded())


def settle(text: str) -> None:
    begun = [{"operation": op, "title": "t", "root": True} for op in OPERATIONS]
    settled: list[str] = []
    record: Any = SimpleNamespace(settled=lambda node, title, one: settled.append(one.operation))
    resume._reconcile(node_of(text), record, begun)
    assert set(settled) <= set(OPERATIONS)


def place(text: str) -> None:
    found = files.states(text, len(FILES))
    for file, state in files.differing(FILES, found):
        files.difference(file, state, text.encode())


def asked_in_check_mode(text: str) -> None:
    for result in questions.parse(text, ["a", "b", "c"]).values():
        questions.said(result)
    questions.said(Result(0, text.encode()))


def looked_at(text: str) -> None:
    row = status.parse(Row("w", ("worker",), "10.0.0.1"), text, "gpu")
    told = [status.plain([row, row]), status.as_json([row]), *status.jobs([row])]
    assert all(len(line) < 20_000 for line in told[0].split("\n"))


def checked(text: str) -> None:
    facts = [parse(Facts("worker01", "10.1.0.11"), text, (1.0, 2.0)), INFRA, SECOND, WORKER]
    findings = show.find(facts, CHECKED)
    show.plain(show.rows(facts, findings))
    show.as_json(facts, findings)


def configured(kind: str) -> Callable[[str], None]:
    config = from_text(
        f"cluster_name: t\ncontainer_runtime: {kind}\nkubernetes: {{version: 1.20.2}}\nmachines:\n"
        "  i: {role: infra, private-ip: 10.0.0.1}\n  w: {role: worker, type: gpu}\n"
    )

    def read(answer: str) -> None:
        node = Node(config.machines["w"], "10.0.0.1", Fake(), Login(), unrecorded())
        runtime.differing(config, node, Result(0, answer.encode()))
        seen = runtime.parse_present(kind, "w", Result(0, answer.encode()))
        runtime.format(kind, runtime._merged("w", kind, seen.text, config, runtime.NVIDIA)[1])

    return read


LOOKED = (
    "unit\tdlws-registry@main\tactive\nimage\ta/b\t1\tsha256:0\ndisk\t10\t5\nused\t3\nuploads\t1\n"
)
GARBAGE = "manifest a@sha256:0\nblobs 3 400\nupload a/b\nreadonly\n"
SHARES = "active active yes 4096 1048576 262144\nactive inactive no 0 0 0\n"
SEALING = controlplane.encoded(controlplane.encryption("b3RoZXI=")).decode()
MOUNTS = mounts_of(shared := from_text(SHARED), shared.machines["w1"], {})


def shares(text: str) -> None:
    rows = shares_of.parsed("w1", MOUNTS, text)
    shares_of.table(rows)
    shares_of.as_json(rows)


def sealing(text: str) -> None:
    encryption.check(node_of(""), text.encode())
    encryption.reading_only(text.encode())


PARSERS: dict[str, tuple[tuple[str, ...], Callable[[str], object]]] = {
    "lock": ((LOCK, "none", "taken"), lambda text: nodelock.parse(text).as_data("i1")),
    "lock words": ((LOCK,), lambda text: nodelock.parse(text).words),
    "lock asked for": ((LOCK,), lambda text: nodelock.ask(node_of(text), "take", "aa")),
    "outcomes": ((SETTLED,), recorder.outcomes),
    "settling": ((SETTLED,), settle),
    "states of files": ((STATES,), place),
    "state of a file": ((FILES[1].state,), lambda text: files.difference(FILES[1], text, b"")),
    "contents": ((f"{CODED}\n\n{CODED}",), lambda text: files.contents(text, 3)),
    "questions": ((ANSWERS, "differs: a\tb\tc"), asked_in_check_mode),
    "status": ((TOLD,), looked_at),
    "check": ((GPU,), checked),
    "containerd": ((TOML,), configured("containerd")),
    "docker": ((JSON,), configured("docker")),
    "hosts": ((HOSTS,), lambda text: hosts.merged(text, ["10.0.0.1 api", "10.0.0.2 api"])),
    "changes": (("changed: x\nchanged: y",), lambda text: node_of("").count_changes(text.encode())),
    "shares": ((SHARES,), shares),
    "registry": ((LOOKED,), lambda text: registry_status.parsed(text).images),
    "garbage": ((GARBAGE,), lambda text: registry_gc.parsed(text).lines),
    "units": (("active\ninactive",), lambda text: mount._active(node_of(text), ["a", "b"])),
    "encryption": ((SEALING,), sealing),
    "put": ((STATES,), lambda text: node_of(text).put_tree(FILES)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(PARSERS))
@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_reads_an_answer_raises_nothing_but_words(name: str, data: st.DataObject) -> None:
    good, read = PARSERS[name]
    try:
        read(data.draw(answers(*good)))
    except DeployError as error:
        assert error.message and len(error.message) < 20_000


@pytest.mark.parametrize("name", [name for name in PARSERS if name != "check"])  # see test_facts
def test_any_line_and_word_may_be_another(name: str) -> None:
    good, read = PARSERS[name]
    for text in each_replaced(good[0]):
        try:
            read(text)
        except DeployError as error:
            assert error.message and len(error.message) < 20_000


@pytest.mark.parametrize("name", list(PARSERS))
def test_good_answers_are_understood(name: str) -> None:
    """None raises, so that the refusals above say something."""
    good, read = PARSERS[name]
    read(good[0])


@pytest.mark.parametrize("runtime", ["docker", "containerd"])
@pytest.mark.parametrize("name", ["worker01", "infra01"])
@settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_verify_raises_nothing_but_words(
    make: Callable[..., World], runtime: str, name: str, data: st.DataObject
) -> None:
    world = make(f"{CONFIG}container_runtime: {runtime}\n")
    judge = Judge(world, known_of(world), name)
    clean = judge.answers()
    odd = data.draw(st.sampled_from(sorted(clean)))
    text = data.draw(answers(clean[odd].text, UNITS, TOML, JSON, "differs: a\tb\tc; cure: d"))
    code = data.draw(st.sampled_from([0, 0, 1, 5, 127]))
    try:
        judge(**{odd.replace(".", "__"): Result(code, text.encode())})
    except DeployError as error:
        assert error.message and len(error.message) < 20_000


@pytest.mark.parametrize("mark", [mark for mark in BREAKS if "\n" not in mark])
def test_nothing_but_a_newline_ends_a_line(mark: str) -> None:
    assert split_lines(f"a{mark}b\nc\n") == [f"a{mark}b", "c"]
    told = status.parse(Row("w", (), ""), f"os=x{mark}kubelet=failed{mark}gpu=nvidia0\n", "gpu")
    assert told.problems == ("no gpu device",) and told.devices == ""
    assert parse(Facts("w"), f"os_name=x{mark}end=1\n").complete is False
