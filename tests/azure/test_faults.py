"""Azure's own words, dug out of its nested errors."""

from __future__ import annotations

import json

import pytest

from dlws.azure.faults import Fault, error, faults

QUOTA = ("Operation could not be completed as it results in exceeding approved standardDASv5Family "
         "Cores quota. Current Limit: 100, Current Usage: 96, Additional Required: 64")  # fmt: skip
INNER = {"code": "OperationNotAllowed", "message": QUOTA}
PACKED = {"status": "Failed", "error": {"code": "ResourceDeploymentFailure", "message": "The "
          "resource operation completed with terminal provisioning state 'Failed'.",
          "details": [INNER]}}  # fmt: skip
DEPLOYMENT = {"error": {"code": "DeploymentFailed", "message": "At least one resource deployment "
              "operation failed.", "details": [{"code": "Conflict", "message": json.dumps(PACKED)},
              {"code": "Conflict", "message": json.dumps(PACKED)}]}}  # fmt: skip


@pytest.mark.parametrize("given", [DEPLOYMENT, DEPLOYMENT["error"], PACKED, INNER,
                                   json.dumps(DEPLOYMENT), {"error": INNER}])  # fmt: skip
def test_only_what_is_at_the_bottom_counts_and_once(given: object) -> None:
    assert faults(given) == [Fault("OperationNotAllowed", QUOTA)]


@pytest.mark.parametrize("given", [None, "", "text", [], {}, {"error": None}, 5, {"details": [1]}])
def test_what_says_nothing_is_no_error(given: object) -> None:
    assert faults(given) == []


def test_a_wrapper_that_holds_nothing_speaks_for_itself() -> None:
    assert faults({"code": "DeploymentFailed", "message": "{not json"}) == [
        Fault("DeploymentFailed", "{not json")
    ]


@pytest.mark.parametrize(("code", "words", "cure"), [
    ("OperationNotAllowed", QUOTA, "have the quota raised"),
    ("OperationNotAllowed", "it is locked", ""),
    ("SkuNotAvailable", "x", "choose another size"),
    ("ZonalAllocationFailed", "x", "try again later"),
    ("AuthorizationFailed", "x", "role Contributor"),
    ("MissingSubscriptionRegistration", "The subscription is not registered to use namespace "
     "'Microsoft.Network'.", "az provider register --namespace Microsoft.Network"),
    ("ExpiredAuthenticationToken", "x", "az login"),
])  # fmt: skip
def test_cures(code: str, words: str, cure: str) -> None:
    found = Fault(code, words).cure
    assert found.startswith(cure) if code == "MissingSubscriptionRegistration" else cure in found
    assert bool(found) == bool(cure)


def test_an_error_has_azures_words_and_the_first_cure() -> None:
    made = error("it failed", [Fault("Odd", "one"), Fault("SkuNotAvailable", "two")])
    assert made.message == "it failed: one (Odd); two (SkuNotAvailable)"
    assert made.cure.startswith("choose another size")
    assert error("it failed", []).message == "it failed: it gives no reason"
