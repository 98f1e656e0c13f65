"""What stands in for shares that the nodes of a rehearsal cannot mount. Pure."""

from __future__ import annotations

from posixpath import normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlws.config.model.storage import Mountpoint

NO_MODULE = ("nfs", "cifs", "azurefileshare")
"""Types for which the kernel around local nodes may have no module."""
_NETWORK = (*NO_MODULE, "glusterfs", "sshfs")
_OWN = "/var/lib/dlws/stand-in-disks"


def stand_in(root: str, name: str, share: Mountpoint, inside: bool) -> str:
    """The directory that stands in for a share; none where the share itself is mounted.

    `inside`: machines of the rehearsal serve it. A server elsewhere is the real site's: a rehearsal
    leaves it alone.
    """
    if not root:
        return ""
    if share.type in _NETWORK and (share.type in NO_MODULE or not inside):
        server = (share.server or share.accountname).replace("/", "_")
        folder = normpath(f"/{share.filesharename}").lstrip("/")
        return root + normpath(f"/{share.type}/{server}/{folder}")
    if share.type in ("local", "localHDD") and share.device:
        return f"{_OWN}/{name}"
    return ""
