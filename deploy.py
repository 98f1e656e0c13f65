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
    if os.path.exists(_PYTHON) and sys.prefix != _VENV:
        os.execv(_PYTHON, [_PYTHON, os.path.join(_HERE, program), *sys.argv[1:]])
    try:
        import click  # noqa: F401
    except ImportError:
        sys.exit(f"its Python packages are missing; run {_HERE}/scripts/install_prerequisites.sh")
    import_module(module).main()


if __name__ == "__main__":
    start("deploy.py", "dlws.cli")
