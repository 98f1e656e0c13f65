"""The kinds of things that verify looks after, a file each."""

from __future__ import annotations

from dlws.verify.kinds import (
    api,
    argument,
    certificate,
    device,
    file,
    hosts,
    label,
    member,
    others,
    role,
    runtime,
    script,
    taint,
    unit,
    version,
)
from dlws.verify.kinds.kind import Kind

KINDS: tuple[Kind, ...] = (
    hosts.KIND,
    others.KIND,
    api.KIND,
    member.KIND,
    runtime.KIND,
    unit.KIND,
    certificate.KIND,
    argument.KIND,
    file.KIND,
    version.KIND,
    label.KIND,
    taint.KIND,
    device.KIND,
    role.KIND,
    script.KIND,
)
"""In the order of who looks closest: what two of them find is said once, by the first."""
