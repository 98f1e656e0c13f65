"""Names of users and virtual clusters: what the rest of the system can live with."""

from __future__ import annotations

import re
import unicodedata

from dlws.core.errors import UsageError

_CLUSTER_ID = re.compile(r"[A-Za-z0-9_-]{1,48}")
LONGEST = 200
"""Characters of a name; it has to fit into 255 with `Cluster/VC:` before it."""


def checked(kind: str, name: str) -> str:
    """The name, if it can be one; it may hold spaces, quotes and characters of any script."""
    if why := _objection(name):
        raise UsageError(
            f"{name!r} cannot be the name of a {kind}: {why}", f"choose another {kind}"
        )
    return name


def _objection(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > LONGEST:
        return f"it has {len(name)} characters, and {LONGEST} are the most"
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        return "it has a control character"
    if name != name.strip():
        return "it begins or ends with a space"
    if "/" in name:
        return "it has a /, which separates the parts of a resource"
    return "it is the name of a directory" if name in (".", "..") else ""


def quoted(identifier: str) -> str:
    """The name of a database, table or column as SQL has it."""
    return "`" + identifier.replace("`", "``") + "`"


def database_name(cluster_id: str) -> str:
    """The database of a cluster, by its id."""
    if not _CLUSTER_ID.fullmatch(cluster_id):
        raise UsageError(
            f"{cluster_id!r} is not an id of a cluster",
            "correct clusterId in deploy/clusterID.yml: letters, digits, - and _",
        )
    return PREFIX + cluster_id


PREFIX = "DLWSCluster-"
