"""Connections over Paramiko, and the identity of hosts."""
