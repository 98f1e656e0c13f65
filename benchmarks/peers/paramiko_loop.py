"""Bare Paramiko: a plain loop over hosts in 32 threads, host keys checked. DIRECTORY COMMAND."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko


def main() -> None:
    directory, command = Path(sys.argv[1]), sys.argv[2]
    about = json.loads((directory / "farm.json").read_text())
    hosts = about["hosts"][: int(sys.argv[3]) if len(sys.argv) > 3 else None]
    key = paramiko.Ed25519Key.from_private_key_file(about["key"])
    known = paramiko.HostKeys(str(directory / "known_hosts"))

    def run(host: dict[str, Any]) -> str:
        client = paramiko.SSHClient()
        place = f"[{host['address']}]:{host['port']}"
        client.get_host_keys()[place] = known[place]  # the file is read once, not for each host
        client.connect(
            host["address"],
            port=host["port"],
            username="dlws",
            pkey=key,
            allow_agent=False,
            look_for_keys=False,
        )
        _, out, _ = client.exec_command(command)
        text = out.read().decode()
        out.channel.recv_exit_status()
        client.close()
        return text

    with ThreadPoolExecutor(32) as pool:
        for host, text in zip(hosts, pool.map(run, hosts), strict=True):
            print(f"{host['name']}: {text}", end="")


main()
