#!/usr/bin/env python3
"""Run dlws from a checkout, in the checkout's own virtual environment where there is one."""

import os
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PYTHON = _HERE / ".venv/bin/python"

if __name__ == "__main__":
    if _PYTHON.exists() and Path(sys.prefix) != _HERE / ".venv":
        os.execv(_PYTHON, [str(_PYTHON), str(_HERE / "deploy.py"), *sys.argv[1:]])
    try:
        import click  # noqa: F401
    except ImportError:
        sys.exit(f"its Python packages are missing; run {_HERE}/scripts/install_prerequisites.sh")
    from dlws.cli import main

    main()
