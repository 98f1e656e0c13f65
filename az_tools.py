#!/usr/bin/env python3
"""Make and keep the machines of a cluster on Azure, from a checkout (see deploy.py)."""

from deploy import start

if __name__ == "__main__":
    start("az_tools.py", "dlws.cli.az")
