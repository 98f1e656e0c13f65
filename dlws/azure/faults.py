"""What Azure says when something goes wrong, dug out of its nested errors, and the cure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlws.core.errors import DeployError

_WRAPPERS = {"DeploymentFailed", "ResourceDeploymentFailure", "Conflict", "BadRequest",
             "MultipleErrorsOccurred", "InvalidTemplateDeployment"}  # fmt: skip
_SIZE = "choose another size, zone or azure_location in azure_cluster, and run the command again"
_LOGIN = "log in again (az login), and run the command again: what was begun goes on in Azure"
_CURES = {
    "SkuNotAvailable": _SIZE,
    "AllocationFailed": f"try again later, or {_SIZE}",
    "ZonalAllocationFailed": f"try again later, or {_SIZE}",
    "OverconstrainedAllocationRequest": f"try again later, or {_SIZE}",
    "OverconstrainedZonalAllocationRequest": f"try again later, or {_SIZE}",
    "QuotaExceeded": "have the quota raised (portal: Subscriptions, Usage + quotas), or "
    "use another size or fewer machines",
    "AuthorizationFailed": "have yourself given the role Contributor on the resource group",
    "LinkedAuthorizationFailed": "have yourself given the role Contributor on the resource group",
    "ExpiredAuthenticationToken": _LOGIN,
    "InvalidAuthenticationToken": _LOGIN,
    "InvalidAuthenticationTokenTenant": "log in to the tenant of the subscription: "
    "az login --tenant ID",
    "SubscriptionNotFound": "name another one with --subscription or azure_cluster.subscription",
    "DnsRecordInUse": "set azure_cluster.dns_prefix to a name of your own",
    "StorageAccountAlreadyTaken": "set azure_cluster.storage_account_name to a name of your own",
    "DeploymentActive": "let it end first: the command `wait` watches it",
    "TooManyRequests": "wait some minutes, and run the command again",
    "OperationPreempted": "another change took its place; run the command again",
}
_QUOTA = re.compile(r"exceeding approved (.*?) quota", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """One error of Azure's: its code and its own words."""

    code: str
    words: str

    @property
    def cure(self) -> str:
        if self.code == "MissingSubscriptionRegistration":
            found = re.search(r"'(Microsoft\.\w+)'", self.words)
            name = found[1] if found else "Microsoft.Compute"
            return f"az provider register --namespace {name}"
        code = "QuotaExceeded" if _QUOTA.search(self.words) else self.code
        return _CURES.get(code, "")

    def __str__(self) -> str:
        return f"{self.words} ({self.code})" if self.words else self.code


def faults(error: Any) -> list[Fault]:
    """The errors at the bottom of one of Azure's, each once; of none, an empty list."""
    return list(dict.fromkeys(_leaves(_read(error))))


def _leaves(error: Any) -> Iterator[Fault]:
    if not isinstance(error, Mapping):
        return
    if isinstance(error.get("error"), Mapping):
        yield from _leaves(error["error"])
        return
    code, words = str(error.get("code") or ""), str(error.get("message") or "")
    inner = [_read(one) for one in error.get("details") or ()]
    if isinstance(packed := _read(words), Mapping):
        inner, words = [*inner, packed], ""
    found = [leaf for one in inner for leaf in _leaves(one)]
    yield from found
    if (code or words) and not (found and (code in _WRAPPERS or not words)):
        yield Fault(code or "Unknown", " ".join(words.split()))


def _read(value: Any) -> Any:
    """An error that Azure packed into a text, if it is one."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def error(what: str, found: list[Fault], kind: type[DeployError] = DeployError) -> DeployError:
    """An error in Azure's own words, with the cure of the first that has one."""
    words = "; ".join(map(str, found)) or "it gives no reason"
    cure = next((one.cure for one in found if one.cure), "")
    return kind(f"{what}: {words}", cure)
