from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from dlws.core import person
from dlws.core.errors import UsageError
from dlws.runs import lock
from tests.support.invocations import unrecorded


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A uid without a line in passwd, as in a container that was started with --user."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nobody")
def test_a_uid_without_a_line_in_passwd_has_a_name_and_no_home() -> None:
    assert (person.name(), person.known_home()) == (f"uid-{os.getuid()}", None)
    for path in ("~", "~/.ssh/key"):
        with pytest.raises(UsageError, match="no home directory") as caught:
            person.expanded(path)
        assert caught.value.message.startswith(f"{path}: user uid-")
        assert "set HOME" in caught.value.cure
    assert person.expanded("/x/y") == Path("/x/y")
    assert lock.signature(unrecorded().options)["user"] == f"uid-{os.getuid()}"
