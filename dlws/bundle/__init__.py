"""Everything a node needs to become part of a cluster, in one directory that is checked by hash."""

from __future__ import annotations

from dlws.bundle.delivery import ensure, push
from dlws.bundle.manifest import Entry, Manifest

__all__ = ["Entry", "Manifest", "ensure", "push"]
