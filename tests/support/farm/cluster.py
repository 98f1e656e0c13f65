"""Makes a cluster's directory whose machines are the hosts of a farm."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.farm import Farm

USER = "dlws"
_WIDE = "kubernetes:\n  pod_cidr: 10.0.0.0/12\n"  # the default has room for 256 nodes


def directory(farm: Farm, hosts: int = 0, settings: str = "") -> Path:
    """config.yaml, key and known_hosts for the first `hosts` of a farm (0: all of them)."""
    chosen = farm.hosts[: hosts or None]
    place = farm.directory / f"cluster{len(chosen)}"
    keys = place / "deploy/sshkey"
    keys.mkdir(parents=True)
    shutil.copy(farm.key, keys / "id_rsa")
    shutil.copy(farm.key.with_suffix(".pub"), keys / "id_rsa.pub")
    (keys / "known_hosts").write_text("".join(host.known_hosts for host in chosen))
    head = f"cluster_name: bench\nadmin_username: {USER}\nssh:\n  port: {chosen[0].port}\n"
    machines = (
        f"  {host.name}: {{role: {'worker' if number else 'infrastructure'}, "
        f"private-ip: {host.address}}}\n"
        for number, host in enumerate(chosen)
    )
    (place / "config.yaml").write_text(f"{head}{settings}{_WIDE}machines:\n{''.join(machines)}")
    return place
