from __future__ import annotations

from pathlib import Path

import pytest

from dlws.ssh.agent import agent_at
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import LoginRefused
from dlws.ssh.hostkeys import HostKeys
from dlws.ssh.keys import Keys, public
from tests.support.agent import agent
from tests.support.sshd import Server, write_key


def test_an_agent_is_asked_at_its_socket(
    sshd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(sshd.key.with_suffix(".agent"))
    with agent(sshd.key):
        monkeypatch.setenv("SSH_AUTH_SOCK", "/none")
        found = agent_at(place)
        assert [key.asbytes() for key in found.get_keys()] == [public(sshd.key)]
        found._close()
        target = sshd.target(key=None, agent=place)
        connection = Ssh(target, HostKeys(sshd.known_hosts), Keys(), agent=True)
        assert connection.run("echo in").text == "in"
        connection.close()
        write_key(tmp_path / "other")
        only = sshd.target(key=tmp_path / "other", agent=place, only_identities=True)
        with pytest.raises(LoginRefused):
            Ssh(only, HostKeys(sshd.known_hosts), Keys(), agent=True).run("true")


def test_without_an_agent_there_are_no_keys_of_one(tmp_path: Path) -> None:
    assert list(agent_at(str(tmp_path / "none")).get_keys()) == []
