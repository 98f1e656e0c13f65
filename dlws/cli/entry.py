"""One process: what is set up before the command line is read, and how it ends."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import threading
from typing import NoReturn

import click

from dlws.cli.root import cli
from dlws.core import terminal_text
from dlws.core.errors import ReaderGone


def main(root: click.Group = cli) -> NoReturn:
    """Run the command line; the exit code is the outcome (see `dlws.core.errors`)."""
    # No file of ours is for others to write, whatever umask we were given; what is secret or under
    # deploy/ has its mode said where it is written.
    os.umask(os.umask(0o022) | 0o022)
    _take_closed_streams()
    _raise_file_limit()
    _collect_seldom()
    _leave_out_invoke()
    terminal_text.guard()
    try:
        code = root.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _leave(130, "interrupted")
    except (ReaderGone, BrokenPipeError):
        _leave(141)  # as a shell would say of a writer whose reader left
    except OSError as error:
        _leave(1, f"error: standard output cannot be written: {error.strerror}")
    _end(code if isinstance(code, int) else 0)


def _take_closed_streams() -> None:
    """End where standard output is closed: answers would go into whatever file is opened next.
    The other two are /dev/null then."""
    for number, name, mode in ((2, "stderr", "w"), (0, "stdin", "r")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            os.dup2(handle, number)
            setattr(sys, name, os.fdopen(number, mode))
            if handle != number:
                os.close(handle)
    if sys.stdout is None:
        _leave(2, "error: standard output is closed\ncure: >/dev/null, if you want none")


def _end(code: int) -> NoReturn:
    """End as sys.exit() does, but for taking the interpreter apart object by object: the kernel
    does that at once. It took 0.1 s of CPU time of each command, and 0.4 s with 500 nodes.
    Who asked for warnings or a profile gets what they say of the end, too."""
    if sys.warnoptions or sys.getprofile() or sys.gettrace():
        sys.exit(code)
    with contextlib.suppress(KeyboardInterrupt):  # as Python does: all has been done
        threading._shutdown()  # type: ignore[attr-defined]  # waits for all that are no daemons
        atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    _leave(code)


def _leave(code: int, message: str = "") -> NoReturn:
    """End at once: threads may sit in a connection attempt that nothing interrupts."""
    with contextlib.suppress(OSError):
        if message:
            click.echo(message, err=True)
        sys.stderr.flush()
    os._exit(code)


def _leave_out_invoke() -> None:
    """Let Paramiko do without invoke, which it imports where it is, with asyncio and unittest.mock,
    for a line of ssh_config that is not read here: a third of Paramiko's start-up."""
    sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]


def _collect_seldom() -> None:
    """Look for garbage seldom: connections live as long as the program, and passing over those of
    500 machines again and again took a fifth of a run."""
    gc.set_threshold(100_000, 50, 100)


def _raise_file_limit() -> None:
    """Allow a connection per node: each is a file, and the usual soft limit is 1,024."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
