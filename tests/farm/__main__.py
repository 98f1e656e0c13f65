"""Runs a farm until its standard input ends or it is told to stop: python -m tests.farm."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh

from tests.farm import answers, faults, hosts, shell
from tests.farm.faults import Fault
from tests.farm.recorder import Recorder
from tests.farm.server import Behaviour, Server

PASSWORD = 'farm\'s $(password); "1"'


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.farm", description=__doc__)
    parser.add_argument("--hosts", type=int, default=10, help="how many (default: 10)")
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--mode", choices=["fake", "real"], default="fake")
    parser.add_argument("--answers", type=Path, help="JSON file of answers for fake mode")
    parser.add_argument("--fault", action="append", default=[], help="NUMBER=FAULT, repeatable")
    parser.add_argument("--directory", type=Path, required=True, help="keys, records, state")
    return parser.parse_args()


def _client_key(directory: Path) -> asyncssh.SSHKey:
    key = asyncssh.generate_private_key("ssh-ed25519")
    path = directory / "id_ed25519"
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key("openssh"))
    path.with_suffix(".pub").write_bytes(key.export_public_key("openssh"))
    return key


async def _mute(where: str, port: int, banner: bytes) -> asyncio.Server:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(banner)
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                pass
        writer.close()

    return await asyncio.start_server(hold, where, port)


async def _listen(where: str, port: int, host: Behaviour, key: asyncssh.SSHKey) -> object:
    """Whatever must be held on to, so that the host stays as it is."""
    if host.fault is Fault.REFUSED:
        return hosts.closed(where, port)
    if host.fault is Fault.DEAD:
        return hosts.dead(where, port)
    if host.fault in {Fault.MUTE, Fault.BANNER}:
        return await _mute(where, port, b"SSH-2.0-farm\r\n" * (host.fault is Fault.BANNER))
    server: Callable[[], Server] = lambda: Server(host)  # noqa: E731
    settings: dict[str, Any] = {"encoding": None, "backlog": 1024, "login_timeout": 60}
    return await asyncssh.listen(
        where, port, server_factory=server, server_host_keys=[key], gss_host=None, **settings
    )


async def _serve(options: argparse.Namespace) -> None:
    directory: Path = options.directory
    port = options.port or hosts.free_port()
    wrong = faults.parse(options.fault)
    programs = shell.prepare(directory) if options.mode == "real" else None
    client, table = _client_key(directory), answers.load(options.answers)
    recorder, held, listed = Recorder(directory / "received.jsonl"), [], []
    for number in range(1, options.hosts + 1):
        fault = wrong.get(number, Fault.NONE)
        key = shown = asyncssh.generate_private_key("ssh-ed25519")
        if fault is Fault.HOST_KEY:
            shown = asyncssh.generate_private_key("ssh-ed25519")
        name, where = hosts.name(number), hosts.address(number)
        host = Behaviour(name, fault, recorder, client, PASSWORD, table, programs)
        held.append(await _listen(where, port, host, shown))
        public = " ".join(key.export_public_key("openssh").decode().split()[:2])
        listed.append({"name": name, "address": where, "port": port, "host_key": public})
    about = {"hosts": listed, "key": str(directory / "id_ed25519"), "password": PASSWORD}
    (directory / "farm.json").write_text(json.dumps(about))
    print("ready", flush=True)
    await _told_to_stop()


async def _told_to_stop() -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def read() -> None:
        if not os.read(0, 4096):
            stop.set()

    # A parent that dies closes our standard input: no farm is left behind.
    loop.add_reader(0, read)
    await stop.wait()
    loop.remove_reader(0)


def main() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options = _arguments()
    options.directory.mkdir(parents=True, exist_ok=True)
    asyncssh.set_log_level("CRITICAL")
    if importlib.util.find_spec("uvloop"):  # lighter where there is one; not a dependency
        asyncio.set_event_loop_policy(importlib.import_module("uvloop").EventLoopPolicy())
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        sys.exit(f"farm: {error}")


if __name__ == "__main__":
    main()
