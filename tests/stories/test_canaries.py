"""No secret of the configuration is seen anywhere, whichever slot of the model it stands in."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shlex
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dlws.config import load
from dlws.config.secrets import secrets_of
from tests.support import canaries
from tests.support.canaries import CANARIES, found
from tests.support.deploy import Deploy
from tests.support.watch import watch

SANDBOXES = Path("/var/lib/dlws/sandbox")


@pytest.fixture
def filled(deploy: Deploy) -> Deploy:
    """The cluster of four nodes with a canary in each slot."""
    path = deploy.directory / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for place in (config["ssh"], config["machines"]["w1"]):  # a jump host is one with a host
        hop = {"host": "127.0.0.5", "port": config["ssh"]["port"]}
        place["jump_host"] = {**hop, "via": [dict(hop)]}
    canaries.filled(config, "w1", keep=("secrets_key",))
    path.write_text(yaml.safe_dump(config, allow_unicode=True))
    return deploy


def test_the_slots_are_those_that_a_configuration_has(filled: Deploy) -> None:
    named = {".".join(map(str, path)) for path in CANARIES}
    for slot in (
        "machines.NAME.password", "ssh.password", "ssh.sudo_password", "mysql_password",
        "machines.NAME.sudo_password", "machines.NAME.jump_host.password", "ssh.jump_host.password",
        "ssh.jump_host.via.0.password",
        "jwt.secret_key", "registry_credential.NAME.password", "mountpoints.NAME.accesskey",
        "repair-manager.some-password", "Authentications.NAME.some-password", "secrets_key",
    ):  # fmt: skip
        assert slot in named
    values = {secret.get_secret_value() for _, secret in secrets_of(load(filled.directory))}
    assert values == {v for path, v in CANARIES.items() if path != ("secrets_key",)}


def test_nobody_sees_a_secret(filled: Deploy, tmp_path_factory: pytest.TempPathFactory) -> None:
    temporary, started = tmp_path_factory.mktemp("tmp"), time.time()
    told: dict[tuple[str, ...], str] = {}
    words: tuple[str, ...]
    script = filled.directory / "s.sh"
    script.write_text("# dlws-needs: root\nenv; cat; sleep 0.2\n")

    def run(*words: str, code: int | None = 0) -> None:
        done = filled(*words, code=code, environment={"TMPDIR": str(temporary)})
        told[words] = done.stdout + done.stderr

    with watch(found) as seen:
        for words in (
            ("checkconfig",),
            ("checkconfig", "--output", "json"),
            ("build",),
            ("hosts",),
        ):
            run(*words)
        for key in sorted({str(path[0]) for path in CANARIES}):
            run("config", "explain", key, code=None)
            run("config", "explain", key, "--output", "json", code=None)
        run("-y", "hosts", "trust", "--output", "json")
        run("-v", "sshkey", "install")
        run("-v", "--sudo", "execonall", "id; sleep 0.2")
        run("-v", "copytoall", str(script), str(filled.directory / "copied"))
        run("-v", "runscriptonall", str(script))
        run("-v", "--nodes", "w1", "execonall", "false", code=1)
        run("-v", "status", "--output", "json", code=None)
        for words in (("list",), ("show",), ("show", "--output", "json"), ("tail", "w1"),
                      ("why", "w1"), ("report",), ("report", "--junit")):  # fmt: skip
            run("runs", *words, code=None)
        run("secrets", "status", "--output", "json")
        config = filled.directory / "config.yaml"
        config.write_text(config.read_text() + "mysql_password: [x]\nmysql-pasword: y\n")
        run("checkconfig", code=2)
    assert seen == []
    assert {words: slots for words, text in told.items() if (slots := found(text.encode()))} == {}
    places = [filled.directory / "deploy", temporary, Path("/var/lib/dlws"), Path("/root/.dlws")]
    assert {path: slots for place in places for path, slots in seen_in(place, started)} == {}
    assert list(temporary.iterdir()) == []


def seen_in(place: Path, since: float) -> Iterator[tuple[str, list[str]]]:
    """The files there that changed since then and hold a canary."""
    for path in files_in(place):
        with contextlib.suppress(FileNotFoundError):  # the recorder's own are tidied away
            recent = path.is_file() and path.stat().st_mtime >= since - 1
            if recent and (slots := found(path.read_bytes())):
                yield str(path), slots


def files_in(place: Path) -> Iterator[Path]:
    """All files there but those of sandbox nodes, which other tests make and remove meanwhile."""
    for folder, folders, names in os.walk(place):
        folders[:] = [name for name in folders if Path(folder, name) != SANDBOXES]
        yield from (Path(folder, name) for name in names)


def test_what_a_node_prints_of_it_is_not_seen_either(filled: Deploy) -> None:
    lines = []
    for canary in CANARIES.values():
        data = canary.encode()
        lines += [canary, json.dumps(canary), shlex.quote(canary), urllib.parse.quote(canary)]
        lines += [base64.b64encode(before + data).decode() for before in (b"", b"a", b"ab", b"abc")]
    shown = filled.directory / "shown"
    shown.write_text("\n".join(lines) + "\n")
    (filled.directory / "s.sh").write_text(f"cat {shown}; cat {shown} >&2; exit 3\n")
    hidden = {path: value for path, value in CANARIES.items() if path != ("secrets_key",)}
    done = filled("-yv", "--nodes", "w1", "runscriptonall", str(filled.directory / "s.sh"), code=1)
    told = [done.stdout, done.stderr]
    for words in (("show",), ("show", "--output", "json"), ("tail", "w1"), ("why", "w1"),
                  ("report",), ("report", "--junit")):  # fmt: skip
        told.append(filled("runs", *words).stdout)
    told += [p.read_text() for p in (filled.directory / "deploy/runs").rglob("*") if p.is_file()]
    names = {".".join(map(str, path)) for path in hidden}
    assert [text for text in told if names & set(found(text.encode()))] == []
    assert all("(secret)" in text for text in told[:1])
    assert os.path.exists(shown)
