"""asyncssh: 32 connections at a time, host keys checked. DIRECTORY COMMAND."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import asyncssh


async def main() -> None:
    directory, command = Path(sys.argv[1]), sys.argv[2]
    about = json.loads((directory / "farm.json").read_text())
    key = asyncssh.read_private_key(about["key"])
    known = asyncssh.read_known_hosts(str(directory / "known_hosts"))
    gate = asyncio.Semaphore(32)

    async def run(host: dict[str, str | int]) -> str:
        async with (
            gate,
            asyncssh.connect(
                str(host["address"]),
                int(host["port"]),
                username="dlws",
                client_keys=[key],
                known_hosts=known,
                agent_path=None,
                config=None,
            ) as connection,
        ):
            return str((await connection.run(command)).stdout)

    texts = await asyncio.gather(*map(run, about["hosts"]))
    for host, text in zip(about["hosts"], texts, strict=True):
        print(f"{host['name']}: {text}", end="")


asyncio.run(main())
