"""How the program ends: at once, and with everything done that was to be done at its end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support import ROOT

PROGRAM = """
import atexit, sys, threading, time
from dlws.cli import main

class Last:
    def __del__(self):
        sys.stdout.write("taken apart\\n")

def late():
    time.sleep(0.3)
    print("thread")

last = Last()
atexit.register(print, "at exit")
threading.Thread(target=late).start()
sys.argv[0] = "deploy.py"
main()
"""


def ended(*words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.run(
        [sys.executable, *options, "-c", PROGRAM, *words],
        cwd=ROOT, env=plain, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["unknown"], 2)])
def test_threads_and_functions_of_the_end_are_waited_for(words: list[str], code: int) -> None:
    done = ended(*words)
    assert done.returncode == code
    assert done.stdout.split("\n")[-3:] == ["thread", "at exit", ""]
    assert "unknown" in done.stderr if code else not done.stderr


def test_whoever_asks_for_warnings_gets_those_of_the_end() -> None:
    assert "taken apart" not in ended("--version").stdout
    assert "taken apart" in ended("--version", options=("-W", "default")).stdout


def test_an_error_of_a_function_of_the_end_is_shown() -> None:
    words = [sys.executable, "-c", PROGRAM.replace('print, "at exit"', 'int, "x"'), "--version"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "ValueError" in done.stderr
