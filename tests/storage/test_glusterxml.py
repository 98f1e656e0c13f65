"""What gluster prints, and what else may come."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlws.core.errors import DeployError
from dlws.storage import glusterxml
from dlws.storage.glusterxml import Backlog, Made
from tests.support.hostile import answers

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cliOutput><opRet>0</opRet>'
INFO = f"""{HEAD}<volInfo><volumes><volume><name>gv</name><id>5e1f-aa</id><status>1</status>
<bricks><brick uuid="1">10.0.0.1:/b<name>10.0.0.1:/b</name></brick></bricks>
<options><option><name>auth.allow</name><value>10.0.0.1</value></option></options>
</volume></volumes></volInfo></cliOutput>"""
PEERS = f"""{HEAD}<peerStatus><peer><uuid>u</uuid><hostname>10.0.0.2</hostname><hostnames>
<hostname>10.0.0.2</hostname></hostnames><connected>1</connected><state>3</state></peer>
<peer><hostname>10.0.0.3</hostname><connected>0</connected><state>3</state></peer>
</peerStatus></cliOutput>"""
STATUS = f"""{HEAD}<volStatus><volumes><volume><volName>gv</volName>
<node><hostname>10.0.0.1</hostname>
<path>/b</path><status>1</status></node><node><hostname>10.0.0.2</hostname><path>/b</path>
<status>0</status></node></volume></volumes></volStatus></cliOutput>"""
HEAL = f"""{HEAD}<healInfo><bricks><brick hostUuid="1"><name>10.0.0.1:/b</name>
<status>Connected</status><totalNumberOfEntries>3</totalNumberOfEntries>
<numberOfEntriesInSplitBrain>1</numberOfEntriesInSplitBrain></brick><brick hostUuid="-">
<name>10.0.0.2:/b</name><status>Transport endpoint is not connected</status>
<totalNumberOfEntries>-</totalNumberOfEntries></brick></bricks></healInfo></cliOutput>"""
READERS = {
    INFO: glusterxml.volumes,
    PEERS: glusterxml.peers,
    STATUS: glusterxml.online,
    HEAL: glusterxml.backlog,
}


def test_what_gluster_prints() -> None:
    made = Made("5e1f-aa", ("10.0.0.1:/b",), True, {"auth.allow": "10.0.0.1"})
    assert glusterxml.volumes(INFO) == {"gv": made}
    assert glusterxml.peers(PEERS) == {"10.0.0.2": True, "10.0.0.3": False}
    assert glusterxml.online(STATUS) == {"10.0.0.1:/b": True, "10.0.0.2:/b": False}
    assert glusterxml.backlog(HEAL) == {
        "10.0.0.1:/b": Backlog(True, 3, 1),
        "10.0.0.2:/b": Backlog(False, 0, 0),
    }


def test_a_refusal_has_its_words() -> None:
    text = "<cliOutput><opRet>-1</opRet><opErrstr>Volume gv does not exist</opErrstr></cliOutput>"
    with pytest.raises(DeployError, match="Volume gv does not exist"):
        glusterxml.volumes(text)


@pytest.mark.parametrize("text", [
    "", "x", "<a>", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "<a/>" * 2, "<a>" * 10**6,
])  # fmt: skip
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(DeployError, match="makes no sense"):
        glusterxml.volumes(text)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_answer_is_a_value_or_an_error(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from(list(READERS)))
    try:
        READERS[good](data.draw(answers(good)))
    except DeployError as error:
        assert len(error.message) < 1000
