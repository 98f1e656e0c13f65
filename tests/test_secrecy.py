"""Secrets in output: known forms are blotted out, wherever a chunk of it ends."""

from __future__ import annotations

import base64
import json
import shlex
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlws.secrecy import Hidden
from tests.conftest import Deploy

SECRET = "pa#ss 'w\"ö$rd/+"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        urllib.parse.quote(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        shlex.quote(SECRET),
    ],
)
def test_every_form_is_hidden(form: str) -> None:
    told = Hidden([SECRET]).text(f"before {form} after")
    assert form not in told
    assert told.startswith("before ") and told.endswith(" after")


def test_short_and_empty_values_hide_nothing() -> None:
    assert Hidden(["", "root"]).text("root is here") == "root is here"


def test_what_is_added_later_is_hidden_too() -> None:
    hidden = Hidden()
    assert hidden.text("later-secret") == "later-secret"
    hidden.add(["later-secret"])
    assert hidden.text("later-secret") == "(secret)"


@given(st.lists(st.integers(1, 9), max_size=30), st.sampled_from(["out", "err"]))
def test_a_secret_in_pieces_is_hidden_and_nothing_else_is_lost(sizes: list[int], name: str) -> None:
    data = f"a{SECRET}b {SECRET[:7]} c\xff{SECRET}".encode("latin-1", "replace")
    data = data.replace(SECRET.encode("latin-1", "replace"), SECRET.encode())
    seen = bytearray()
    receive, finish = Hidden([SECRET]).stream(lambda _, piece: seen.extend(piece))
    rest = data
    for size in sizes:
        receive(name, rest[:size])
        rest = rest[size:]
    receive(name, rest)
    finish()
    assert bytes(seen) == data.replace(SECRET.encode(), b"(secret)")


def test_a_secret_that_a_node_prints_is_nowhere_to_be_seen(deploy: Deploy) -> None:
    secret = "canary#'\"$ 4711"
    config = deploy.directory / "config.yaml"
    config.write_text(config.read_text() + f"mysql_password: {json.dumps(secret)}\n")
    script = deploy.directory / "tell.sh"
    script.write_text(f"echo told {shlex.quote(secret)}; echo {shlex.quote(secret)} >&2; exit 3\n")
    done = deploy("-v", "--nodes", "w1", "runscriptonall", str(script), code=1)
    kept = "".join(path.read_text() for path in (deploy.directory / "deploy/runs").rglob("*.*"))
    assert "told (secret)" in done.stdout and "told (secret)" in kept
    for text in (done.stdout, done.stderr, kept):
        assert secret not in text and json.dumps(secret)[1:-1] not in text
