"""Only the modules that are the seam to machines start processes, open sockets or speak SSH."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dlws

PACKAGE = Path(dlws.__file__).parent
SEAM = {
    "core/connection.py": {"socket", "subprocess"},
    "ssh/agent.py": {"paramiko", "socket"},
    "ssh/handshake.py": {"paramiko", "socket"},
    "ssh/keys.py": {"paramiko"},
    "ssh/client.py": {"paramiko", "socket"},
    "ssh/packets.py": {"paramiko"},
    "ssh/streams.py": {"paramiko"},
    "ssh/transport.py": {"paramiko", "socket"},
    "client/transport.py": {"http", "ssl"},  # the job platform's API
    "kubernetes/api.py": {"kubernetes", "urllib3"},
    "kubernetes/kubeconfig.py": {"kubernetes"},  # the client library's settings; connects nowhere
    "kubernetes/tunnel.py": {"socket"},  # carries the API client's connections through Ssh
    "azure/client.py": {"azure"},  # Azure is reached over HTTPS by its own SDK, here alone
    "database/client.py": {"pymysql", "ssl"},
    "database/strangers.py": {"pymysql"},
    "database/backup.py": {"pymysql"},  # its cursor that streams
    "kubernetes/kubectl.py": {"os.execve"},  # gives way to the operator's own kubectl
    "images/start.py": {"os.execv"},  # gives way to docker, for a terminal
}
WAYS_OUT = {"asyncio", "http", "kubernetes", "multiprocessing", "paramiko", "pty", "requests"}
WAYS_OUT |= {"azure", "msal", "pymysql", "socket", "socketserver", "ssl", "subprocess", "urllib3"}
STARTERS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"}


def ways_out(source: str) -> set[str]:
    """What a module uses to reach past its own process: imported modules, functions of os."""
    found = set()
    for item in ast.walk(ast.parse(source)):
        if isinstance(item, ast.Import):
            names = [alias.name for alias in item.names]
        elif isinstance(item, ast.ImportFrom):
            names = [item.module or ""]
        else:
            names = []
        found |= {name.partition(".")[0] for name in names} & WAYS_OUT
        if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name):
            starts = item.attr in STARTERS or item.attr.startswith(("spawn", "exec"))
            if item.value.id == "os" and starts:
                found.add(f"os.{item.attr}")
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os, subprocess", {"subprocess"}),
        ("def f():\n    from paramiko.client import SSHClient", {"paramiko"}),
        ("import urllib.parse", set()),
        ("import os\nos.execv('/bin/sh', [])", {"os.execv"}),
        ("text = 'import subprocess'", set()),
    ],
)
def test_it_sees_ways_out(source: str, expected: set[str]) -> None:
    assert ways_out(source) == expected


def test_only_the_seam_reaches_out() -> None:
    modules = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    found = {name: ways_out(path.read_text()) for name, path in modules.items()}
    assert found["core/connection.py"], "nothing is found where something must be"
    beyond = {name: ways - SEAM.get(name, set()) for name, ways in found.items()}
    assert {name: ways for name, ways in beyond.items() if ways} == {}
