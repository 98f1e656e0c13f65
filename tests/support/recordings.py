from __future__ import annotations

from typing import Any

TIME = "2020-01-02T03:04:05.678+00:00"

OF_COMMAND = {"node": "w1", "operation": "op-1", "title": "do it"}

KINDS: dict[str, dict[str, Any]] = {
    "run": {"id": "r", "pid": 1, "argv": ["./deploy.py", "up"], "command": "up", "cwd": "/tmp"}
    | {"config": "hash", "versions": {"dlws": "1"}},
    "begin": {**OF_COMMAND, "root": True},
    "done": {**OF_COMMAND, "code": 1, "seconds": 0.5, "last": "words"},
    "lost": {"node": "w1", "operation": "op-1", "why": "gone"},
    "settled": {**OF_COMMAND, "code": None, "how": "never ran"},
    "placing": {"node": "w1", "files": [["/etc/a", "hash"]]},
    "put": {"node": "w1", "path": "/etc/a", "sha256": "hash"},
    "changed": {"node": "w1", "what": "/etc/a"},
    "finished": {"node": "w1", "title": "all"},
    "failed": {"node": "w1", "title": "all", "why": "exit 1"},
    "skipped": {"node": "w2", "title": "all", "why": "enough failed"},
    "aside": {"node": "w1", "step": "prepare", "why": "exit 1"},
    "step": {"name": "prepare", "without": ["w1"], "config": "other"},
    "resume": {"pid": 2},
    "of the future": {},
    "end": {"outcome": "failed"},
}
