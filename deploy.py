#!/usr/bin/env python3
"""Run dlws from a checkout, in the checkout's own virtual environment where there is one."""

import os
import sys

_HERE = os.path.dirname(os.path.realpath(__file__))  # pathlib would take a tenth of --help
_VENV = os.path.join(_HERE, ".venv")
_PYTHON = os.path.join(_VENV, "bin", "python")

if __name__ == "__main__":
    if os.path.exists(_PYTHON) and sys.prefix != _VENV:
        os.execv(_PYTHON, [_PYTHON, os.path.join(_HERE, "deploy.py"), *sys.argv[1:]])
    try:
        import click  # noqa: F401
    except ImportError:
        sys.exit(f"its Python packages are missing; run {_HERE}/scripts/install_prerequisites.sh")
    from dlws.cli import main

    main()
