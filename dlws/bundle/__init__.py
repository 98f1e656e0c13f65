"""Everything a node needs to become part of a cluster, in one directory that is checked by hash."""

from __future__ import annotations

from dlws.bundle.manifest import Entry, Manifest
from dlws.bundle.delivery import ensure, push

__all__ = ["Entry", "Manifest", "ensure", "push"]
