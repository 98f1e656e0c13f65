"""What a node says of itself, and what a cluster is made of."""

from __future__ import annotations

import base64

import pytest

from dlws.kubeadm.survey import Member, State, parse


@pytest.mark.parametrize(("text", "state"), [
    ("", State()),
    ("version=v1.20.2", State(version="1.20.2")),
    ("version=1.20.2\nmachine_id=abc", State(version="1.20.2", machine_id="abc")),
    ("kubelet=1\ncontrol_plane=0\netcd_data=1", State(kubelet=True, etcd_data=True)),
    ("init_started=1\njoin_started=1", State(init_started=True, join_started=True)),
    ("api=\napi_says=refused = or not", State(api_says="refused = or not")),
    ("hosts=" + base64.b64encode(b"127.0.0.1 a\n").decode(), State(hosts="127.0.0.1 a\n")),
    ("hosts=" + base64.b64encode(b"caf\xe9").decode(), State(hosts="caf\udce9")),
    ("ca=" + base64.b64encode(b"\0\xff").decode(), State(ca=b"\0\xff")),
    ("something=else", State()),
    ("api=1\nmember=i1|10.244.0.0/24|10.1.0.1 fd00::1|True|id",
     State(api=True, members={"i1": Member("i1", "10.244.0.0/24", "10.1.0.1", True, "id")})),
    ("member=w1|||False|", State(members={"w1": Member("w1", "", "", False, "")})),
    ("member=w1||||", State(members={"w1": Member("w1", "", "", False, "")})),
])  # fmt: skip
def test_parse(text: str, state: State) -> None:
    assert parse(text) == state


@pytest.mark.parametrize(("state", "touched"), [
    (State(), False),
    (State(version="1.20.2", init_started=True, join_started=True), False),
    (State(kubelet=True), True),
    (State(control_plane=True), True),
    (State(etcd_data=True), True),
])  # fmt: skip
def test_touched(state: State, touched: bool) -> None:
    assert state.touched is touched
