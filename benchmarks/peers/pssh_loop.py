"""parallel-ssh: its own client, 32 at a time (it does not check host keys). DIRECTORY COMMAND."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pssh.clients import ParallelSSHClient  # type: ignore[import-not-found]


def main() -> None:
    about = json.loads((Path(sys.argv[1]) / "farm.json").read_text())
    hosts = [host["address"] for host in about["hosts"]]
    client = ParallelSSHClient(
        hosts,
        user="dlws",
        port=about["hosts"][0]["port"],
        pkey=about["key"],
        pool_size=32,
        allow_agent=False,
        identity_auth=False,
    )
    for output in client.run_command(sys.argv[2]):
        for line in output.stdout:
            print(f"{output.host}: {line}")


main()
