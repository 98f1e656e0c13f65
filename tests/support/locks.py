from __future__ import annotations


def who(token: str, directory: str = "") -> dict[str, object]:
    about = {"user": "eve", "host": "box", "pid": 7, "command": "up"}
    return {**about, "token": token, "directory": directory}
