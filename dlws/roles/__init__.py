"""Roles: folders of files for nodes, and what belongs to them that is no file."""
