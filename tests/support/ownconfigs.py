from __future__ import annotations

from pathlib import Path

from dlws.ssh.ownconfig import OwnConfig, load


def wrote(home: Path, text: str, more: str = "Host w1\n User included\n Port 99\n") -> OwnConfig:
    (home / ".ssh").mkdir(exist_ok=True)
    for name, content in (("config", text), ("more", more)):
        (home / ".ssh" / name).write_text(content)
        (home / ".ssh" / name).chmod(0o600)
    return load(home)
