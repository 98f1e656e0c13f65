"""What ~/.ssh/config says, in the terms of a connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core.errors import UsageError
from dlws.ssh.ownway import NOTHING, OwnWay, OwnWays, jump_of
from tests.support.ownconfigs import wrote


def way(home: Path, text: str, name: str = "w1") -> OwnWay:
    wrote(home, text)
    return OwnWays(home).to([name], {})


def test_all_that_a_connection_takes_from_it(tmp_path: Path) -> None:
    found = way(tmp_path, (
        "Host w1\n HostName %h.example\n Port 2222\n User eve\n IdentityFile ~/.ssh/%n-%r\n"
        " IdentityAgent ~/agent\n ProxyJump a,b:23\n HostKeyAlias known\n ConnectTimeout 3\n"
        " Ciphers +aes128-cbc\n KexAlgorithms -ecdh*\n IdentitiesOnly yes\n"
    ))  # fmt: skip
    assert found == OwnWay(
        hostname="w1.example", port=2222, user="eve", only_identities=True,
        identities=(tmp_path / ".ssh/w1-eve",), agent=f"{tmp_path}/agent", jumps=("a", "b:23"),
        known_as="known", connect_timeout=3,
        algorithms=(("kex", "-ecdh*"), ("ciphers", "+aes128-cbc")),
    )  # fmt: skip


@pytest.mark.parametrize(("command", "jump"), [
    ("ssh -W %h:%p gate", "gate"), ("ssh gate -W %h:%p", "gate"),
    ("ssh -q -l eve -p 23 -W [%h]:%p gate", "eve@gate:23"),
    ("exec /usr/bin/ssh eve@gate nc %h %p", "eve@gate"), ("ssh gate nc -w 1 %h %p", "gate"),
    ("nc -X 5 -x proxy:1080 %h %p", ""), ("ssh gate", ""), ("ssh -o Foo=1 -W %h:%p gate", ""),
    ("ssh -W other:22 gate", ""), ("sh -c 'ssh -W %h:%p gate'", ""), ("ssh 'gate", ""),
    ("ssh gate socat - TCP:%h:%p", ""),
])  # fmt: skip
def test_a_proxy_command_that_is_a_jump_is_taken_for_one(command: str, jump: str) -> None:
    assert jump_of(command) == jump


def test_another_proxy_command_is_an_obstacle(tmp_path: Path) -> None:
    found = way(tmp_path, "Host w1\n ProxyCommand connect -S proxy %h %p\n")
    assert found.obstacle == "ProxyCommand connect -S proxy %h %p" and not found.jumps


def test_what_is_not_done_is_named_with_the_machines(tmp_path: Path) -> None:
    wrote(tmp_path, "Host w*\n BindAddress 10.0.0.9\n AddressFamily any\nMatch exec x\n Port 3\n")
    ways = OwnWays(tmp_path)
    for name in ("w1", "w2", "i1"):
        ways.to([name], {})
    assert ways.remarks() == [
        f"{tmp_path}/.ssh/config:4: dlws cannot decide Match exec, and leaves this section out",
        "~/.ssh/config: dlws does not do as BindAddress says (w[1-2])",
    ]


@pytest.mark.parametrize("text", ["Port ssh\n", "Port 70000\n", "ConnectTimeout soon\n"])
def test_a_number_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no number that fits"):
        way(tmp_path, text)


def test_it_is_read_when_it_is_asked_and_not_where_it_is_off(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        way(tmp_path, "broken\n")
    OwnWays(tmp_path)
    assert OwnWays(tmp_path, on=False).to(["w1"], {}) is NOTHING
