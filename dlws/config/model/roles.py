"""The roles of machines, and the words for them."""

from __future__ import annotations

from collections.abc import Collection

INFRASTRUCTURE, WORKER = "infrastructure", "worker"
ROLES = (INFRASTRUCTURE, WORKER, "nfs", "mysqlserver", "elasticsearch", "samba")
SYNONYMS = {"infra": INFRASTRUCTURE, "master": INFRASTRUCTURE}
ROLE_WORDS = (*ROLES, *SYNONYMS)
NODE_ROLES = "nodes"
"""The folder of templates/ whose folders are roles of machines, too."""


def in_cluster(roles: Collection[str]) -> bool:
    """Whether a machine with these roles is a node of Kubernetes."""
    return INFRASTRUCTURE in roles or WORKER in roles


def words_for(role: str) -> tuple[str, ...]:
    """A role and its synonyms."""
    return (role, *(word for word, meant in SYNONYMS.items() if meant == role))
