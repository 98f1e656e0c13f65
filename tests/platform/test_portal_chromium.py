"""People in a real browser: at a provider of another site and back, keys, a phone, no mouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from dlws.access import certificates
from jobplatform.api.app import create as create_api
from jobplatform.model import grant
from jobplatform.portal.app import create
from jobplatform.portal.backend import Http
from jobplatform.store import grants, people
from jobplatform.store.database import changing
from tests.support.browser import Browser, browsing
from tests.support.platform.clients import PASSWORD, settle
from tests.support.platform.keys import ED25519
from tests.support.platform.provider import Provider, provider, told
from tests.support.platform.served import on_a_port

__all__ = ["provider"]
PHONE = {"width": 360, "height": 640, "deviceScaleFactor": 2, "mobile": True}
NAMELESS = """
[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')]
  .filter(one => !(one.labels && one.labels.length) && !one.innerText.trim() && !one.ariaLabel)
  .map(one => one.outerHTML)
"""
"""What nobody could name who hears a page; then, what the page is wider than the screen by, and
buttons and links on their own that a thumb would miss."""
WIDER = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
SMALL = """
[...document.querySelectorAll('main button, main .way')].map(one =>
  one.getBoundingClientRect()).filter(box => box.height < 38).length
"""


@pytest.fixture
def site(
    database: Engine, provider: Provider, tmp_path: Path
) -> Iterator[tuple[Browser, str, dict[str, str]]]:
    """A browser, the portal's address, and tokens of people there."""
    tokens, pair = settle(database), _certificate(tmp_path)
    files = {"ssl_certfile": str(tmp_path / "crt"), "ssl_keyfile": str(tmp_path / "key")}
    provider.issuer = provider.issuer.replace("127.0.0.1", "localhost")  # another site

    def apis(address: str) -> Any:
        backend = stack.enter_context(on_a_port(
            lambda _: create_api(database, told=told(provider.issuer, address))
        ))  # fmt: skip
        return create(Http(backend))

    with changing(database) as connection:
        people.set_password(connection, "ann", PASSWORD)
    with ExitStack() as stack:
        address = stack.enter_context(on_a_port(apis, **files))
        yield stack.enter_context(browsing(tmp_path / "browser", pair)), address, tokens


def _certificate(place: Path) -> str:
    ca = certificates.new_ca("tests")
    pair = certificates.new_certificate(ca, ["127.0.0.1"])
    (place / "crt").write_text(pair.certificate)
    (place / "key").write_text(pair.key)
    return pair.certificate


def well_made(page: Browser, words: str) -> None:
    """A page of which all can be named, and that fits a phone."""
    page.shows(words)
    assert page.look(NAMELESS) == []
    assert page.look(WIDER) == 0, words
    assert page.look(SMALL) == 0, words
    assert page.look("document.querySelectorAll('h1').length") == 1


def test_people_sign_in_elsewhere_and_keep_keys_on_a_phone(
    site: tuple[Browser, str, dict[str, str]], provider: Provider
) -> None:
    page, address, _ = site
    page.ask("Emulation.setDeviceMetricsOverride", **PHONE)
    page.open(f"{address}/keys")
    well_made(page, "Without a password of this platform")
    page.click("Sign in with Corp <b>")
    page.shows("Public keys for SSH")  # where the person wanted to go
    page.type(
        "#key", f"{ED25519} a laptop with a name that is longer than a phone is wide " + "x" * 90
    )
    page.click("Add a key")
    page.shows("SHA256:")
    page.type("#label", "nightly <i>")
    page.click("Make a token")
    page.shows("Copy it now")
    well_made(page, "nightly <i>")
    page.click("中文")
    page.shows("密钥与令牌")
    page.open(f"{address}/keys")
    well_made(page, "SSH 公钥")
    page.open(f"{address}/account")
    well_made(page, "其他登录方式")
    assert page.scripts == []  # names are text


def test_a_program_is_let_in_on_a_phone(
    site: tuple[Browser, str, dict[str, str]], provider: Provider, database: Engine
) -> None:
    """`dlws login` waits elsewhere; the person signs in at the provider first."""
    page, address, _ = site
    with changing(database) as connection:
        device, code = grants.begin(connection, "ann@a-machine-with-a-long.name." + "x" * 60)
    page.ask("Emulation.setDeviceMetricsOverride", **PHONE)
    page.open(f"{address}/device")
    page.click("Sign in with Corp <b>")
    well_made(page, "Eight letters")
    page.type("#code", grant.shown(code).lower())
    page.click("Go on")
    well_made(page, "Approve it only if you began this yourself")
    page.click("Approve it")
    well_made(page, "signed in as you")
    with changing(database) as connection:
        found = grants.ask(connection, device)
    assert not isinstance(found, str) and found.userName == "new@example.org"


def test_an_account_is_connected_in_a_browser(
    site: tuple[Browser, str, dict[str, str]], provider: Provider
) -> None:
    """A form leads there by a page between, as the policy of pages allows no other way."""
    page, address, _ = site
    page.open(f"{address}/sign-in")
    page.type("#user", "ann")
    page.type("#password", PASSWORD)
    page.click("Sign in")
    page.open(f"{address}/account")
    page.click("Connect WeChat")
    page.until("location.pathname === '/account' && document.body.innerText.includes('Disconnect')")
    page.click("Sign out")
    page.click("Sign in with WeChat")
    page.shows("Signed in as ann")
