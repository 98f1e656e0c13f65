"""Connections over Paramiko, and the identity of hosts."""

import sys

# Paramiko imports Invoke where it is, to run what `Match exec` in an ssh_config says. Nothing here
# has it read one (ownconfig.py does), and that is a third of the time that its import takes.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]
