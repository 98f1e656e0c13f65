"""Agents that hold keys, by their sockets."""

from __future__ import annotations

import socket
from typing import Any

import paramiko


def agent_at(place: str) -> Any:
    """The agent behind a socket; without one that of SSH_AUTH_SOCK, which may be none."""
    if not place:
        return paramiko.Agent()
    agent: Any = paramiko.agent.AgentSSH()
    channel = socket.socket(socket.AF_UNIX)
    try:
        channel.connect(place)
    except OSError:
        channel.close()  # as without an agent: the keys that are files count
    else:
        agent._connect(channel)
    return agent
