"""Signing in on a machine without a browser: the platform gives a code, a person types it in the
portal, and this asks until it is answered there (RFC 8628)."""

from __future__ import annotations

import getpass
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dlws.client.transport import Passing, Told, Transport
from dlws.core.errors import DeployError, Refused
from dlws.core.program import PROGRAM
from dlws.core.terminal_text import one_line

_PATH = "/api/v1/device-grants"
_LONGEST, _SLOWEST, _SLOWER = 3600, 60, 5
_CURES = {
    "access_denied": "ask who refused it, or sign in with --user or --token",
    "expired_token": "run it again, and type the code within its time",
    "invalid_grant": "run it again",
}


@dataclass(frozen=True)
class Asked:
    """What a person is to do: type the code at the address. `device` is this program's own."""

    device: str = field(repr=False)
    code: str
    address: str
    seconds: int
    pace: int


def machine() -> str:
    """What this is called to the person who is asked: USER@HOST."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # an account without a name
        user = "user"
    name = re.sub(r"[^A-Za-z0-9._@-]", "-", f"{user}@{platform.node()}")
    return name.lstrip("._@-")[:128] or "machine"


def begin(transport: Transport, name: str) -> Asked:
    """Ask for a code. Nothing of the answer steers the terminal on which it is shown."""
    transport.token = ""
    found = transport.ask("POST", _PATH, {"machine": name})
    try:
        address, code = str(found["verification_uri"]), str(found["user_code"])
        seconds, pace = int(found["expires_in"]), int(found.get("interval", _SLOWER))
        device = str(found["device_code"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DeployError(f"{transport.address} answers something else than a code") from error
    if not address.startswith(("https://", "http://")):
        raise DeployError(f"{transport.address} names no address of a portal")
    pace = min(max(pace, 1), _SLOWEST)
    return Asked(
        device, one_line(code, 40), one_line(address, 300), min(max(seconds, 1), _LONGEST), pace
    )


def wait(
    transport: Transport, asked: Asked, sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> str:  # fmt: skip
    """The token, once the person approved; Refused where it is refused, or nobody answers in
    time. What passes by itself is waited for, more slowly."""
    until, pace = clock() + asked.seconds, asked.pace
    while clock() < until:
        sleep(pace)
        try:
            found = transport.ask("POST", f"{_PATH}/token", {"device_code": asked.device})
            transport.token = str(found["access_token"])
            return transport.token
        except Passing:
            pace = min(pace + _SLOWER, _SLOWEST)
        except Told as error:
            if error.word == "slow_down":
                pace = min(pace + _SLOWER, _SLOWEST)
            elif error.word != "authorization_pending":
                raise Refused(error.message, _CURES.get(error.word, "run it again")) from None
    raise Refused("nobody answered in time", f"run it again: {PROGRAM} login {transport.address}")
