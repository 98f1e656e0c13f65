"""Runs a farm until its standard input ends or it is told to stop: python -m tests.support.farm."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import asyncssh

from tests.support.farm import faults, hosts, shell
from tests.support.farm.faults import Fault, Wrong
from tests.support.farm.host import Host
from tests.support.farm.recorder import Recorder
from tests.support.farm.server import Server

SETTLES = 20
"""Seconds in which what runs on hosts has to come to its end."""
PASSWORD = 'farm\'s $(password); "1"'


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.support.farm", description=__doc__)
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


async def _serve(options: argparse.Namespace) -> None:
    directory: Path = options.directory
    port = options.port or hosts.free_port()
    wrong = faults.parse(options.fault)
    programs = shell.prepare(directory) if options.mode == "real" else None
    client = _client_key(directory)
    recorder = Recorder(directory / "received.jsonl")
    made: dict[int, Host] = {}
    for number in range(1, options.hosts + 1):
        name, where = hosts.name(number), hosts.address(number)
        host = Host(
            name, where, port, Server, recorder, client, PASSWORD, options.answers, programs
        )
        await host.become(Wrong(wrong.get(number, Fault.NONE)), fresh=True)
        made[number] = host
    listed = [_about(host) for host in made.values()]
    about = {"hosts": listed, "key": str(directory / "id_ed25519"), "password": PASSWORD}
    (directory / "farm.json").write_text(json.dumps(about))
    print("ready", flush=True)
    await _obey(made, recorder)
    for host in made.values():
        await host.power_off()


def _about(host: Host) -> dict[str, object]:
    public = " ".join(host.key.export_public_key("openssh").decode().split()[:2])
    return {"name": host.name, "address": host.where, "port": host.port, "host_key": public}


async def _obey(made: dict[int, Host], recorder: Recorder) -> None:
    """Do what the lines of standard input say, until it ends or a signal comes."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    orders = asyncio.Queue[bytes]()
    threading.Thread(target=_read, args=(loop, orders), daemon=True).start()
    # A parent that dies closes our standard input: no farm is left behind.
    ended = asyncio.create_task(stop.wait())
    while not ended.done():
        asked = asyncio.create_task(orders.get())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done() or not asked.result():
            break
        print(json.dumps(await _done(json.loads(asked.result()), made, recorder)), flush=True)


def _read(loop: asyncio.AbstractEventLoop, orders: asyncio.Queue[bytes]) -> None:
    line = b"first"
    while line:
        line = sys.stdin.buffer.readline()
        with contextlib.suppress(RuntimeError):  # the loop has ended before
            loop.call_soon_threadsafe(orders.put_nowait, line)


async def _done(order: dict[str, Any], made: dict[int, Host], recorder: Recorder) -> object:
    if order["do"] == "become":
        if order["fresh"]:
            recorder.clear()
        told = {int(number): faults.wrong(row) for number, row in order["faults"].items()}
        for number, host in made.items():
            await host.become(told.get(number, Wrong()), order["fresh"])
        return {}
    deadline = time.monotonic() + SETTLES
    while any(host.processes for host in made.values()) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return {host.name: host.seen() for host in made.values()}


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
