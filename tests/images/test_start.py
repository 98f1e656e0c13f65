"""Running an image."""

from __future__ import annotations

from dlws.images import start


def test_the_words_behind_docker() -> None:
    assert start.words("r/web:1", ["sh", "-c", "ls"], terminal=False) == [
        "run", "--rm", "--interactive", "r/web:1", "sh", "-c", "ls"
    ]  # fmt: skip
    assert "--tty" in start.words("r/web:1", [], terminal=True)
