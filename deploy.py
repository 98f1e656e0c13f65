#!/usr/bin/env python3
"""Run dlws from a checkout, in the checkout's own virtual environment where there is one."""

import os
import sys
from importlib import import_module

_HERE = os.path.dirname(os.path.realpath(__file__))  # pathlib would take a tenth of --help
_VENV = os.path.join(_HERE, ".venv")
_PYTHON = os.path.join(_VENV, "bin", "python")


def start(program: str, module: str) -> None:
    """Run the command line of a module; `program` is the file beside this one that is run."""
    try:
        if sys.prefix != _VENV and _is_there(_PYTHON):
            os.execv(_PYTHON, [_PYTHON, os.path.join(_HERE, program), *sys.argv[1:]])
        import click  # noqa: F401

        main = import_module(module).main
    except PermissionError as error:
        sys.exit(
            f"error: uid {os.geteuid()} may not read {error.filename}, of Python or its packages\n"
            f"cure: run it as their owner; or, as that one: chmod -R a+rX {_VENV} {_HERE}/dlws"
        )
    except ImportError as error:
        cure = f"{_HERE}/scripts/install_prerequisites.sh"
        sys.exit(f"error: a Python package of it cannot be loaded: {error}\ncure: run {cure}")
    main()


def _is_there(path: str) -> bool:
    """Like os.path.exists, but for directories that may not be entered."""
    try:
        return bool(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


if __name__ == "__main__":
    start("deploy.py", "dlws.cli")
