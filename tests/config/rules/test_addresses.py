"""Addresses of servers."""

from __future__ import annotations

import pytest

from tests.support.configs import assert_problem

TEXTS = [
    "mysql_host: VALUE", "dockerregistry: VALUE", "dockers: {hub: VALUE}",
    "kubernetes: {endpoint: VALUE}", "kubernetes: {image_repository: VALUE}",
    "repair-manager: {alert: {smtp_url: VALUE}}",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("value", ["a.example b", "a.example ", "a\\tb"])
def test_an_address_has_no_blank(text: str, value: str) -> None:
    assert_problem(text.replace("VALUE", f'"{value}"'), "has a blank, which no address has")
