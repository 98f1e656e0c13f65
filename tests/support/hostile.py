"""Answers as a hostile node might give them: those of a good one, bent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hypothesis import strategies as st

BREAKS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
"""Where str.splitlines() splits, which nothing that reads answers does."""
WORDS = (
    *BREAKS,
    *("", " ", "|", "||||", "=", ":", "/", ".", "..", "-", "- - -", "- - directory", "0", "-1"),
    *("\u0663", "\uff11", "9" * 30, "9" * 5000, "1e400", "nan", "Infinity", "1_0", "0x1", "None"),
    *("[" * 5000, '{"a":' * 5000, "[[1]]", "{}", '{"token": []}', '{"token": "a"}', "null", "true"),
    *("held", "taken", "died", "never", "runs", "ended", "changed: ", "differs: a\tb\tc\n"),
    *("=" * 40, "QQ==", "!!!!", "é", "\x00", "\x1b[2J", "\ufffd", "a" * 3000),
    *("background=a|b|1||/x", "unit=kubelet.service", "certificate="),
    "certificate=QQ== x",
    *("gpu=", "end=1", "disk=/|1|0", "address=::ffff:1.2.3.4%eth0", "listens=0100007F:0016"),
    *("host_key=ssh-rsa ====", "# dlws: begin\n", "# dlws api server: begin\n", "version = 9\n"),
    *("[plugins]\n", "plugins = 3\n", "a.b.c.d.e = 1\n", '{"exec-opts": {}}', '{"runtimes": 3}'),
)  # fmt: skip


@st.composite
def _bent(draw: st.DrawFn, good: str) -> str:
    text = good
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.sampled_from([start, min(start + 1, len(text)), min(start + 9, len(text)),
                                    (text + "\n").find("\n", start), len(text)]))  # fmt: skip
        word = draw(st.sampled_from(WORDS) | st.text(max_size=5))
        text = text[:start] + word + text[end:]
    return text


@st.composite
def _replaced(draw: st.DrawFn, good: str, parts: str) -> str:
    """One part of it (a line, or a word) is another one."""
    spans = [found.span() for found in re.finditer(parts, good)]
    start, end = draw(st.sampled_from(spans or [(0, 0)]))
    return good[:start] + draw(st.sampled_from(WORDS) | st.text(max_size=5)) + good[end:]


@st.composite
def _shuffled(draw: st.DrawFn, good: str) -> str:
    """Its lines and others in any order, any of them more than once, ended by anything."""
    lines = st.sampled_from([*good.split("\n"), *WORDS])
    ends = st.sampled_from(["\n"] * 5 + list(BREAKS))
    return "".join(draw(lines) + draw(ends) for _ in range(draw(st.integers(0, 12))))


def each_replaced(good: str) -> Iterator[str]:
    """Each of its lines and words once by each odd word."""
    for parts in (r"[^\n]+", r"[^\s|=]+"):
        for found in re.finditer(parts, good):
            start, end = found.span()
            yield from (good[:start] + word + good[end:] for word in WORDS)


def answers(*good: str) -> st.SearchStrategy[str]:
    """Anything at all, and what is nearly one of these good answers."""
    near = [
        strategy
        for one in good
        for strategy in (
            *(_bent(one), _shuffled(one), st.just(one)),
            *(_replaced(one, r"[^\n]+"), _replaced(one, r"[^\s|=]+")),
        )
    ]
    return st.one_of(*near, st.sampled_from(WORDS), st.text())
