"""What a node says of itself, and what a cluster is made of."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.kubeadm.survey import Member, State, parse, read
from tests.support.fakes import Make
from tests.support.states import member, told


@pytest.mark.parametrize(("text", "state"), [
    ("", State()),
    (told(version="v1.20.2"), State(version="1.20.2")),
    (told(version="1.20.2", machine_id="abc"), State(version="1.20.2", machine_id="abc")),
    ("kubelet=1\ncontrol_plane=0\netcd_data=1", State(kubelet=True, etcd_data=True)),
    ("init_started=1\njoin_started=1", State(init_started=True, join_started=True)),
    (b"api=\n" + told(api_says="refused = or not"), State(api_says="refused = or not")),
    (told(hosts=b"127.0.0.1 a\n"), State(hosts="127.0.0.1 a\n")),
    (told(hosts=b"caf\xe9"), State(hosts="caf\udce9")),
    (told(ca=b"\0\xff"), State(ca=b"\0\xff")),
    ("something=else\nno such line\nsomething=else", State()),
    (b"api=1\nmember=name=i1&pods=10.244.0.0%2F24&address=10.1.0.1&address=fd00%3A%3A1&ready=True"
     b"&id=id",
     State(api=True, members={"i1": Member("i1", "10.244.0.0/24", "10.1.0.1", True, "id")})),
    ("member=name=w1", State(members={"w1": Member("w1", "", "", False, "")})),
])  # fmt: skip
def test_parse(text: str | bytes, state: State) -> None:
    assert parse(text if isinstance(text, str) else text.decode()) == state


EVIL = (
    "10.77.0.12|True|z\njoin_started=1\nmember=name=infra1&ready=False\rapi=0&name=x"
    "\x0bjoin_started=1\x0cjoin_started=1\x1cjoin_started=1\x1djoin_started=1\x1ejoin_started=1"
    "\x85join_started=1\u2028join_started=1\u2029member=name=evil"
)


def test_a_value_that_others_may_set_stays_one_value() -> None:
    """A worker reports what it likes as its address, and the API server prints it."""
    text = told("kubelet", [member("w1", EVIL, EVIL, id=EVIL)], api_says=EVIL, hosts=EVIL)
    state = parse(text.decode())
    assert (state.join_started, state.api_says, state.hosts) == (False, EVIL, EVIL)
    assert state.members == {"w1": Member("w1", EVIL, EVIL, True, EVIL)}


@pytest.mark.parametrize("text", [
    "kubelet=1\nkubelet=1",
    "join_started=0\njoin_started=1",
    "version=\nversion=",
    "member=name=w1\nmember=name=w1&ready=True",
    "kubelet=yes",
    "hosts=!",
    "ca=abc",
    "version=////",
    told(version="v1.20.2; reboot"),
    told(version="1.20"),
    "member=",
    "member=x",
    "member=a|b|c|d|e",
    "member=address=10.1.0.1",
    "member=name=UPPER",
    "member=name=a%0Ab",
    "member=name=" + "a" * 254,
    "member=name=a" + "&address=1" * 100,
])  # fmt: skip
def test_an_answer_that_makes_no_sense_is_refused(text: str | bytes) -> None:
    with pytest.raises(DeployError, match="makes no sense"):
        parse(text if isinstance(text, str) else text.decode())


LINES = st.builds(
    "{}={}".format,
    st.sampled_from(["kubelet", "version", "hosts", "ca", "member", "api", "join_started", "x"]),
    st.one_of(st.sampled_from(["1", "", "0", "name=a", "name=a&pods=%ff"]), st.text(max_size=40)),
)


@given(st.one_of(st.text(), st.lists(LINES).map("\n".join)))
def test_any_text_is_a_state_or_an_error(text: str) -> None:
    with contextlib.suppress(DeployError):
        assert isinstance(parse(text), State)


def test_an_answer_of_which_a_part_is_lost_is_refused(make: Make) -> None:
    world = make()
    world.fakes["infra01"].rules.append(lambda *_: Result(0, b"kubelet=1\n", b"", lost=1))
    with pytest.raises(DeployError, match="too long"):
        read(world.cluster.nodes[0])


@pytest.mark.parametrize(("state", "touched"), [
    (State(), False),
    (State(version="1.20.2", init_started=True, join_started=True), False),
    (State(kubelet=True), True),
    (State(control_plane=True), True),
    (State(etcd_data=True), True),
])  # fmt: skip
def test_touched(state: State, touched: bool) -> None:
    assert state.touched is touched
