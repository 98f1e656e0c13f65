#!/usr/bin/env python3
"""The same as devenv.py: the devbox has the architecture of the machine that it runs on."""

import sys

import devenv

if __name__ == "__main__":
    sys.exit(devenv.main(sys.argv[1:]))
