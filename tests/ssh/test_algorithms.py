from __future__ import annotations

import pytest

from dlws.core.errors import UsageError
from dlws.ssh.algorithms import chosen

ABLE = ("a", "b", "c", "curve25519-sha256@libssh.org")


@pytest.mark.parametrize(("said", "found"), [
    ("", "a b"), ("+c,x", "a b c"), ("-a", "b"), ("-*", None), ("^c", "c a b"), ("c,a", "c a"),
    ("x", None), ("curve25519-sha256", "curve25519-sha256@libssh.org"), ("^b", "b a"),
])  # fmt: skip
def test_lists_are_read_as_openssh_reads_them(said: str, found: str | None) -> None:
    if found is None:
        with pytest.raises(UsageError, match="allows no key exchange algorithm"):
            chosen("kex", said, ("a", "b"), ABLE)
    else:
        assert chosen("kex", said, ("a", "b"), ABLE) == tuple(found.split())
