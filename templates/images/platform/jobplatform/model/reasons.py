"""Reasons: why a job waits or how it ended, as a code with numbers and as one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

WAITING: Final[Mapping[str, str]] = {
    "needs-approval": "You use {used} of the {quota} devices that a user of {vc} may have; "
    "{wanted} more need an administrator's approval.",
    "vc-quota": "{vc} uses {used} of its {quota} {device}; this job needs {wanted}.",
    "over-quota": "This job needs {wanted} {device}, and {vc} may have {quota} in all: "
    "it can never start with this quota.",
    "no-such-device": "No node of this cluster has {device} devices; it can never start here.",
    "never-fits": "{workers} workers of {each} never fit: the largest node has {largest}, "
    "and all nodes together have room for {room}.",
    "too-many-pods": "{workers} workers never fit: the nodes run at most {room} of them at a time, "
    "as the number of their pods is limited.",
    "cluster-full": "{wanted} {device} are needed, {free} are free.",
    "fragmented": "{free} {device} are free, but the nodes have room for {room} of {workers} "
    "workers ({each} each).",
    "pods-full": "{wanted} {device} are needed and {free} are free, but {full} nodes run as many "
    "pods as they may.",
    "nodes-out": "{wanted} {device} are needed, {free} are free; {out} nodes that have more are "
    "out of service ({names}).",
    "behind": "It waits behind job {job}, which comes first in {vc}.",
    "preempting": "Room is being made for it: {count} jobs are ending.",
    "gang-timeout": "Only {running} of {workers} pods ran within {seconds} s; it is tried again.",
    "node-lost": "Node {node} was lost during attempt {attempt}; it is tried again.",
    "rejected": "Node {node} did not take {pod} ({words}); it is tried again in a minute.",
    "evicted": "Node {node} evicted {pod} ({words}); it is tried again in a minute.",
    "silent": "Node {node} does not say whether {pod} still runs there; it is tried again once the "
    "node is back, or an administrator has taken it out of the cluster.",
    "preempted": "A job that may not be preempted took its place; it is tried again.",
    "image-pull": "Image {image} cannot be pulled: {words}",
    "share": "The share for homes and jobs cannot be used now: {words}",
    "starting": "{running} of {workers} pods run.",
}  # fmt: skip

ENDED: Final[Mapping[str, tuple[str, str]]] = {
    "finished": ("user", "The command ended with 0."),
    "exit": ("user", "The command of {pod} ended with {exit}."),
    "signal": ("user", "The command of {pod} was ended by signal {signal}."),
    "memory": ("user", "{pod} used more memory than it asked for and was ended."),
    "over-limit": ("user", "{pod} used more than it may have and was ended: {words}"),
    "image": ("user", "Image {image} cannot be pulled: {words}"),
    "config": ("user", "{pod} cannot be started: {words}"),
    "time-limit": ("platform", "It reached its time limit of {seconds} s."),
    "nodes-lost": ("node", "Node {node} was lost, and all {attempts} attempts are used."),
    "nodes-evicted": ("node", "Node {node} evicted {pod} ({words}), and all {attempts} attempts "
    "are used."),
    "nodes-rejected": ("node", "Node {node} did not take {pod} ({words}), and all {attempts} "
    "attempts are used."),
    "refused": ("platform", "Kubernetes refused its pods: {words}"),
    "killed": ("user", "{actor} stopped it."),
    "paused": ("user", "{actor} paused it."),
}  # fmt: skip
"""Sentence and who is the cause: user, platform or node."""


@dataclass(frozen=True)
class Reason:
    """A code of the tables above with its numbers; equal reasons are not written twice."""

    code: str
    values: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        text = WAITING.get(self.code) or ENDED[self.code][1]
        return text.format_map(self.values)

    @property
    def cause(self) -> str:
        """Who is the cause of an end; nothing where it is a reason for waiting."""
        return ENDED[self.code][0] if self.code in ENDED else ""

    def stored(self) -> str:
        return json.dumps({"code": self.code, "values": dict(self.values)}, sort_keys=True)


def read(text: str | None) -> Reason | None:
    """A stored reason; None where there is none, or it is older than this table."""
    try:
        found = json.loads(text or "")
        reason = Reason(found["code"], found["values"])
        reason.sentence  # noqa: B018 - a code or value that is missing shows here
    except (KeyError, TypeError, ValueError):
        return None
    return reason
