"""What can go wrong, each with the exit code that a caller can act on."""

from __future__ import annotations

from dlws import __version__


class DeployError(Exception):
    """A problem for the operator: what, where, why, and in `cure` what to do about it."""

    code = 1

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure


class UsageError(DeployError):
    """The command line or the configuration is wrong; nothing was changed."""

    code = 2


class Defect(DeployError):
    """An error that nobody foresaw: a fault of ours, with the way that led to it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            _told(error),
            f"this is a defect of dlws {__version__}: please report it with these lines",
        )


class NotUnderstood(DeployError):
    """An error that nobody foresaw in the work on one node: what it says makes no sense to us."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"its answer cannot be understood: {_told(error)}",
            "look at what that node prints; where that is as it should be, this is a defect of "
            f"dlws {__version__}: please report it with these lines",
        )


def _told(error: Exception) -> str:
    """An error with the way to it; its words may quote a node, which may be long-winded."""
    from traceback import extract_tb

    words = " ".join(str(error).split())
    shown = words if len(words) <= _QUOTED else f"{words[:_QUOTED]}..."
    frames = [f for f in extract_tb(error.__traceback__) if f.filename.startswith(_PACKAGE)]
    way = " < ".join(
        f"{f.filename.removeprefix(_PACKAGE)}:{f.lineno}" for f in frames[: -_FRAMES - 1 : -1]
    )
    return f"{type(error).__name__}: {shown} (at {way})"


_QUOTED, _FRAMES = 300, 8
"""Characters of an error's own words that are shown, and places on the way to it."""
_PACKAGE = __file__.removesuffix("core/errors.py")


class EndOfPlan(Exception):
    """The end of what a plan can know. Not a failure: all that could be planned has been."""


class ReaderGone(Exception):
    """Whoever read our output has left, as `| head -1` does: there is no one to work for."""


class SomeNodesFailed(DeployError):
    """Some nodes failed; the rest are done."""

    code = 3


class Refused(DeployError):
    """The action was refused: a lock is held, quorum would be lost, consent is missing."""

    code = 4


class CheckFailed(DeployError):
    """A check ran to its end and found something."""

    code = 5


RENEW_MACHINE_ID = (
    "sudo rm /etc/machine-id /var/lib/dbus/machine-id; sudo systemd-machine-id-setup; sudo reboot"
)
"""What gives a copied machine an id of its own."""
