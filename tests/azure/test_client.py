"""The way to Azure: which subscription, who logs in, what it says when that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlws.azure import client
from tests.support.arm.cluster import Site
from tests.support.arm.server import SECRET, TENANT
from tests.support.arm.world import SUBSCRIPTION

SHOWN = f"test ({SUBSCRIPTION})"


@pytest.mark.parametrize("given", ["test", SUBSCRIPTION])
def test_a_subscription_has_a_name_or_an_id(site: Site, given: str) -> None:
    site.change("subscription: test", f"subscription: {given}")
    assert SHOWN in site("wait").stderr


def test_the_option_counts_more(site: Site) -> None:
    site.change("subscription: test", "subscription: another")
    assert SHOWN in site("--subscription", "test", "wait").stderr
    done = site("wait", code=2)
    assert "there are 0 subscriptions named another; you have: test" in done.stderr


def test_it_may_be_that_of_the_environment_or_of_az(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site.change("subscription: test, ", "")
    assert SHOWN in site("wait").stderr, "there is only one"
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "0" * 8 + "-0000-0000-0000-" + "0" * 12)
    assert "could not be found. (SubscriptionNotFound)" in site("wait", code=1).stderr
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    place = tmp_path / "az"
    place.mkdir()
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(place))
    rows = [{"id": "other"}, {"id": SUBSCRIPTION, "isDefault": True}]
    (place / "azureProfile.json").write_text(
        json.dumps({"subscriptions": rows}), encoding="utf-8-sig"
    )
    site("wait")
    assert site.arm.asked[-2].path.endswith(SUBSCRIPTION)


def test_one_login_is_enough(site: Site) -> None:
    site("create")
    assert site.local.server.logins.count(f"/{TENANT}/oauth2/v2.0/token") == 1


def test_who_is_not_logged_in_is_told_how(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(site.directory))
    done = site("create", code=1)
    assert "Azure lets nobody in" in done.stderr and "log in with az login" in done.stderr
    assert "Traceback" not in done.output and not site.arm.asked


def test_a_cloud_that_is_not_there(site: Site) -> None:
    site.change(site.arm.base, "https://127.0.0.1:9")
    done = site("list", code=1)
    assert "127.0.0.1" in done.stderr and "Traceback" not in done.output
    assert SECRET not in done.output


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, 5), ({"Retry-After": "17"}, 17), ({"retry-after-ms": "1500"}, 1.5),
     ({"Retry-After": "999999999"}, 600), ({"retry-after-ms": "9" * 5000}, 5)],
)  # fmt: skip
def test_azure_is_waited_for_and_not_for_ever(
    headers: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("dlws.azure.client.time.sleep", slept.append)
    nobody: Any = None
    client.Azure.pause(nobody, headers)
    assert slept == [seconds]
