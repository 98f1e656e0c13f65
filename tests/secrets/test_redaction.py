"""Redaction: known forms of secrets are replaced, wherever a chunk of output ends."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import urllib.parse
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlws.secrets.redaction import SHORTEST, Redactor
from tests.support.deploy import Deploy

SECRET = "pa#ss 'w\"ö$rd/+"

AWKWARD = [
    SECRET,
    "quotes ' and \" and `x`",
    "$(touch /tmp/never)",
    "first line\nsecond line\n",
    "naïve 密码 🔑",
    "-n --leading dash",
    "0123456789" * 20,
    "a\\b\tc",
]


def shown(secret: str) -> list[str]:
    """The forms in which a program may show a secret."""
    raw = secret.encode()
    coded = [base64.b64encode(raw), base64.urlsafe_b64encode(raw)]
    quoted = [urllib.parse.quote(secret), urllib.parse.quote(secret, safe="")]
    quoted += [urllib.parse.quote_plus(secret), shlex.quote(secret)]
    quoted += [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    traced = subprocess.run(
        ["sh", "-xc", ': "$1"', "sh", secret], capture_output=True, text=True, check=True
    ).stderr  # + : 'the secret'
    return [secret, *(code.rstrip(b"=").decode() for code in coded), *quoted, traced[4:-1]]


@pytest.mark.parametrize("secret", AWKWARD)
def test_every_form_is_hidden(secret: str) -> None:
    for form in shown(secret):
        told = Redactor([secret]).text(f"before {form} after")
        assert form not in told
        assert told.startswith("before ") and told.endswith(" after")


@given(st.binary(max_size=20), st.sampled_from(AWKWARD), st.binary(max_size=20), st.booleans())
def test_base64_of_what_holds_a_secret_is_hidden(
    before: bytes, secret: str, behind: bytes, url: bool
) -> None:
    code = base64.urlsafe_b64encode if url else base64.b64encode
    told = Redactor([secret]).data(code(before + secret.encode() + behind))
    assert b"(secret)" in told
    # What is left has no more than six bits of the secret at each of its ends.
    left = len(told.replace(b"(secret)", b"").rstrip(b"="))
    assert left <= -(-(len(before) + len(behind)) * 4 // 3) + 3


@pytest.mark.parametrize("secret", AWKWARD)
def test_each_line_of_a_secret_is_hidden_too(secret: str) -> None:
    for line in secret.splitlines():
        assert line not in Redactor([secret]).text(f"w1: {line}\n")


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([*AWKWARD, "first", "line\nsecond", "0123456789"]), max_size=4),
    st.lists(st.one_of(st.sampled_from(AWKWARD), st.text(max_size=6)), max_size=6),
    st.data(),
)
def test_wherever_it_is_cut_no_secret_passes_and_all_else_does(
    secrets: list[str], words: list[str], draw: st.DataObject
) -> None:
    hidden, data = Redactor(secrets), "".join([*words, "\0"]).encode(errors="surrogatepass")
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    seen = bytearray()
    receive, finish = hidden.stream(lambda _, piece: seen.extend(piece))
    for start, end in pairwise([0, *cuts, len(data)]):
        receive("out", data[start:end])
    finish()
    assert bytes(seen) == hidden.data(data)
    assert not [s for s in secrets if len(s) >= SHORTEST and s.encode() in bytes(seen)]


def test_a_secret_that_begins_another_one_does_not_give_its_rest_away() -> None:
    seen = bytearray()
    receive, finish = Redactor(["correct", "correct horse"]).stream(lambda _, p: seen.extend(p))
    for piece in (b"a correct", b" horse; correct hat"):
        receive("out", piece)
    finish()
    assert bytes(seen) == b"a (secret); (secret) hat"


def test_output_that_ends_in_the_middle_of_a_secret_shows_none_of_it() -> None:
    seen = bytearray()
    receive, finish = Redactor(["correct horse"]).stream(lambda _, piece: seen.extend(piece))
    receive("out", b"a correct hor")
    finish()
    assert bytes(seen) == b"a (secret)"


def test_many_secrets_make_one_pattern() -> None:
    secrets = [f"{number:05} {'x' * 30}" for number in range(500)]
    told = Redactor(secrets).text("; ".join(secrets))
    assert told == "; ".join(["(secret)"] * 500)


def test_short_and_empty_values_hide_nothing() -> None:
    assert Redactor(["", "root"]).text("root is here") == "root is here"


def test_what_is_added_later_is_hidden_too() -> None:
    hidden = Redactor()
    assert hidden.text("later-secret") == "later-secret"
    hidden.add(["later-secret"])
    assert hidden.text("later-secret") == "(secret)"


@given(st.lists(st.integers(1, 9), max_size=30), st.sampled_from(["out", "err"]))
def test_a_secret_in_pieces_is_hidden_and_nothing_else_is_lost(sizes: list[int], name: str) -> None:
    data = f"a{SECRET}b {SECRET[:7]} c\xff{SECRET}".encode("latin-1", "replace")
    data = data.replace(SECRET.encode("latin-1", "replace"), SECRET.encode())
    seen = bytearray()
    receive, finish = Redactor([SECRET]).stream(lambda _, piece: seen.extend(piece))
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
