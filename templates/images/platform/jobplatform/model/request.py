"""A job as a person asks for it. Every field is data: nothing here is ever read as code, and
what a user may not decide (privileges, host paths, uids, node names) has no field."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_IMAGE = re.compile(
    r"(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_RESERVED = ("DLWS_", "DLTS_", "KUBERNETES_", "LD_", "NVIDIA_VISIBLE_DEVICES",
             "ASCEND_VISIBLE_DEVICES")  # fmt: skip
_DEVICE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def one_line(text: str) -> str:
    """The text, where it has no control characters and is more than blanks."""
    if _CONTROL.search(text) or not text.strip():
        raise ValueError("it has control characters, or is empty")
    return text


def no_nul(text: str) -> str:
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("it has a NUL or half a character")
    return text


Line = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(one_line)]
Text = Annotated[str, Field(max_length=32768), AfterValidator(no_nul)]
Kind = Literal["regular", "distributed", "inference"]


class Request(BaseModel):
    """What a job is to be. Amounts are per worker."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line
    vc: Line
    image: Annotated[str, Field(max_length=512)]
    command: Annotated[Text, Field(min_length=1)]
    kind: Kind = "regular"
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    device: Annotated[str, Field(max_length=63)] = ""
    devices: Annotated[int, Field(ge=0, le=64)] = 0
    cpu_millis: Annotated[int, Field(ge=10, le=1_000_000)] = 1000
    memory_mib: Annotated[int, Field(ge=16, le=16_777_216)] = 1024
    env: Annotated[dict[str, Text], Field(max_length=200)] = {}
    launch: Literal["all", "first"] = "all"
    port: Annotated[int, Field(ge=1024, le=65535)] | None = None
    priority: Annotated[int, Field(ge=1, le=1000)] = 100
    preemptible: bool = False
    max_seconds: Annotated[int, Field(ge=1, le=366 * 86400)] | None = None
    retries: Annotated[int, Field(ge=0, le=10)] = 3

    @field_validator("image")
    @classmethod
    def _an_image(cls, value: str) -> str:
        if not _IMAGE.fullmatch(value):
            raise ValueError("it is no image reference, such as registry:5000/team/name:tag")
        return value

    @field_validator("device")
    @classmethod
    def _a_device(cls, value: str) -> str:
        if value and not _DEVICE.fullmatch(value):
            raise ValueError("it is no kind of device, such as V100")
        return value

    @field_validator("env")
    @classmethod
    def _variables(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not _VARIABLE.fullmatch(name) or name.startswith(_RESERVED):
                raise ValueError(f"{name[:40]!r} is no name for a variable of a job")
        return value

    @model_validator(mode="after")
    def _together(self) -> Request:
        if bool(self.device) != bool(self.devices):
            raise ValueError("device and devices are given together or not at all")
        if self.kind == "regular" and self.workers != 1:
            raise ValueError("a regular job has one worker; several need kind: distributed")
        if (self.kind == "inference") != (self.port is not None):
            raise ValueError("port is given for kind: inference, and for nothing else")
        return self


_KINDS: dict[str, Kind] = {
    "RegularJob": "regular", "PSDistJob": "distributed", "InferenceJob": "inference",
}  # fmt: skip
LEGACY_KINDS = {kind: name for name, kind in _KINDS.items()}

FORBIDDEN = ("hostNetwork", "hostIPC", "isPrivileged", "containerUserId", "nodeSelector",
             "mountpoints", "annotations", "labels", "dnsPolicy", "plugins")  # fmt: skip
"""What submitters could once decide, and no longer can: refused where it asks for something."""


def from_legacy(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request from the parameters of POST /PostJob."""
    for name in FORBIDDEN:
        if given.get(name):
            raise ValueError(f"{name} is not a submitter's to decide")
    kind = _KINDS.get(given.get("jobtrainingtype", "RegularJob"))
    if kind is None:
        raise ValueError("jobtrainingtype is none of " + ", ".join(_KINDS))
    devices = given.get("resourcegpu") or 0
    found = {
        "name": given.get("jobName"),
        "vc": given.get("vcName"),
        "image": given.get("image"),
        "command": given.get("cmd"),
        "kind": kind,
        "workers": given.get("numpsworker", 1) if kind == "distributed" else 1,
        "launch": "first" if kind == "distributed" else "all",
        "devices": devices,
        "device": given.get("gpuType") or given.get("sku") or "" if devices else "",
        "cpu_millis": _cpu(given.get("cpurequest")),
        "memory_mib": _memory(given.get("memoryrequest")),
        "env": _env(given.get("envs") or []),
        "priority": given.get("jobPriority"),
        "preemptible": given.get("preemptionAllowed"),
        "max_seconds": given.get("maxTimeSec"),
        "port": given.get("interactivePort") if kind == "inference" else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def read(text: str) -> Request:
    """Stored parameters: plain JSON, or base64 of the predecessor's."""
    if text.lstrip().startswith("{"):
        found = json.loads(text)
    else:
        try:
            found = json.loads(base64.b64decode(text, validate=True))
        except binascii.Error as error:
            raise ValueError("these parameters are neither JSON nor base64") from error
    return Request.model_validate(from_legacy(found) if "jobName" in found else found)


def _env(given: list[Any]) -> dict[str, Any]:
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in given):
        raise ValueError("envs is a list of {name, value}")
    return {one["name"]: one.get("value", "") for one in given}


def _cpu(given: Any) -> int | None:
    """Thousandths of a processor from 2, "2", "1.5" or "500m"."""
    if given is None or given == "":
        return None
    text = str(given)
    if not re.fullmatch(r"[0-9]{1,7}(?:\.[0-9]{1,3})?|[0-9]{1,9}m", text):
        raise ValueError("cpurequest is no number of processors")
    return int(text[:-1]) if text.endswith("m") else int(float(text) * 1000)


def _memory(given: Any) -> int | None:
    """MiB from "512Mi", "4Gi" or a number of bytes."""
    if given is None or given == "":
        return None
    found = re.fullmatch(r"([0-9]{1,15})(|Ki|Mi|Gi|Ti)", str(given))
    if not found:
        raise ValueError("memoryrequest is no amount of memory, such as 4Gi")
    size: int = int(found[1]) * 1024 ** ["", "Ki", "Mi", "Gi", "Ti"].index(found[2])
    return max(size // 1024**2, 1)
