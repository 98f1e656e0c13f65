"""Signing in by a provider: who is let in as whom, and each way of getting in without being it.

The provider is one of the tests' own that signs real tokens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Engine, insert, select, update

from jobplatform.api.app import create
from jobplatform.model import signin
from jobplatform.model.signin import SignIn
from jobplatform.settings import Missing, sign_in
from jobplatform.signin import keys, oidc
from jobplatform.signin.oidc import Oidc
from jobplatform.signin.proof import Asked, Away, Rejected
from jobplatform.signin.web import Https, private
from jobplatform.store import entry, people, signins
from jobplatform.store.database import changing, reading
from jobplatform.store.tables import audit, externals, identity_removed
from jobplatform.store.tables import signins as table
from tests.support.platform.clients import PASSWORD, Api, settle
from tests.support.platform.provider import ADDRESS, ANN, CLIENT, SECRET, Provider, provider, told

__all__ = ["provider"]
BROWSER = "a browser's own secret".replace(" ", "-")


@dataclass
class Site:
    api: Api
    provider: Provider

    def begin(self, name: str = "corp", who: str = "", browser: str = BROWSER) -> dict[str, str]:
        """Begin, and let the person consent: what the browser comes back with."""
        path = f"/api/v1/sign-in/{name}{'/connect' if who else ''}"
        answer = self.api(who, "POST", path, json={"browser": browser})
        assert answer.status_code == 200, answer.text
        return {**self.provider.consent(answer.json()["address"]), "browser": browser}

    def end(self, back: Mapping[str, str], name: str = "corp", who: str = "") -> Any:
        return self.api(who, "POST", f"/api/v1/sign-in/{name}/return", json=dict(back))

    def enter(self, name: str = "corp") -> Any:
        return self.end(self.begin(name), name)

    def me(self, answer: Any) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        self.api.tokens["entered"] = answer.json()["token"]
        found: dict[str, Any] = self.api("entered", "GET", "/api/v1/me").json()
        return found


def made(engine: Engine, provider: Provider, settings: SignIn) -> Iterator[Site]:
    with TestClient(create(engine, told=settings), raise_server_exceptions=False) as client:
        yield Site(Api(engine, client, settle(engine)), provider)


@pytest.fixture
def site(database: Engine, provider: Provider) -> Iterator[Site]:
    yield from made(database, provider, told(provider.issuer))


def groups(engine: Engine, name: str) -> list[int]:
    with reading(engine) as connection:
        found = people.identity_of(connection, name)
        return [] if found is None else people.numbers(found.groups)


def test_a_new_person_gets_numbers_once_and_is_the_same_one_after_that(site: Site) -> None:
    found = site.me(site.enter())
    assert (found["user"], found["uid"], found["vcs"]) == ("new@example.org", 5001, {})
    assert groups(site.api.engine, "new@example.org") == [5000]
    site.provider.who["email"] = "married@example.org"  # another address, the same person
    assert site.me(site.enter())["user"] == "new@example.org"
    site.provider.who = {"sub": "2", "email": "Two@Example.org", "email_verified": True}
    assert (site.me(site.enter())["user"], site.me(site.enter())["uid"]) == (
        "two@example.org",
        5002,
    )
    site.provider.who = {"sub": "3", "email": "three@example.org", "email_verified": True}
    assert site.me(site.enter())["uid"] == signin.FIRST  # the range is used up
    (_, path, asked), *_ = [one for one in site.provider.said if one[1].startswith("/token")]
    assert (path, asked["client_id"], "client_secret" in asked) == ("/token", CLIENT, False)


def test_what_a_provider_is_asked(site: Site) -> None:
    site.begin()
    (asked,) = site.provider.codes.values()
    assert asked["redirect_uri"] == f"{ADDRESS}/sign-in/return/corp"
    assert (asked["response_type"], asked["scope"]) == ("code", "openid email profile")
    assert len({asked[name] for name in ("state", "nonce", "code_challenge")}) == 3
    assert SECRET not in str(asked)


def test_a_person_whom_an_administrator_added_gets_that_account(site: Site) -> None:
    """Also with a name in other letters; rights are those that were given before."""
    with changing(site.api.engine) as connection:
        people.set_identity(connection, "Old@elsewhere.org", 4000, 4000, [])
        people.allow(connection, "Old@elsewhere.org", "Cluster/VC:a", 3)
    site.provider.who["email"] = "old@ELSEWHERE.org"
    found = site.me(site.enter())
    assert (found["user"], found["uid"], found["vcs"]) == ("Old@elsewhere.org", 4000, {"a": 3})


def test_groups_of_the_provider_are_groups_here_and_leave_with_it(site: Site) -> None:
    """3000 is what the provider decides about; 77 was given here, and stays."""
    with changing(site.api.engine) as connection:
        people.set_identity(connection, "old@example.org", 4000, 4000, [77])
        people.allow(connection, "gpu", "Cluster/VC:b", 1)
        connection.exec_driver_sql("UPDATE acl SET identityId = 3000 WHERE identityName = 'gpu'")
    site.provider.who = {"sub": "o", "email": "old@example.org", "email_verified": True}
    for said, has in ((["gpu", "x"], [77, 3000]), ("gpu", [77, 3000]), ([], [77]), (None, [77])):
        site.provider.claims = {"groups": said}
        found = site.me(site.enter())
        assert groups(site.api.engine, "old@example.org") == has
        assert found["vcs"] == ({"b": 1} if 3000 in has else {})
    site.provider.claims = {"_claim_names": {"groups": "elsewhere"}}  # too many of them
    assert site.enter().status_code == 401
    site.provider.who = {"sub": "s", "email": "s@stranger.org", "email_verified": True}
    site.provider.claims = {"groups": ["gpu"]}
    assert site.me(site.enter())["user"] == "s@stranger.org"


def test_what_only_another_place_of_the_provider_tells(site: Site) -> None:
    site.provider.alone = {"groups": ["gpu"], "email": "spoilt@example.org"}
    assert site.me(site.enter())["user"] == "new@example.org"
    assert groups(site.api.engine, "new@example.org") == [5000, 3000]
    site.provider.alone = {"sub": "somebody-else"}
    assert site.enter().status_code == 401


NOBODY: list[dict[str, Any]] = [
    {"email_verified": False}, {"email_verified": None}, {"email_verified": 1},
    {"email": None}, {"email": "root"}, {"email": "Administrator"}, {"email": "a@b@example.org"},
    {"email": "é@example.org"}, {"email": "new@example.org\n"}, {"email": ["new@example.org"]},
    {"email": "new@example.org'; DROP TABLE identity; --"}, {"email": "x@example.org/../root"},
    {"email": "eve@stranger.org"}, {"email": "eve@notexample.org"}, {"email": ""},
]  # fmt: skip


def test_an_address_that_proves_nothing_lets_nobody_in(site: Site) -> None:
    for said in NOBODY:
        site.provider.who = {**ANN, **said}
        answer = site.enter()
        assert answer.status_code == 403, (said, answer.text)
    with reading(site.api.engine) as connection:
        assert connection.execute(select(externals)).all() == []


def now(seconds: int) -> int:
    return int(time.time()) + seconds


def spoilt_ones() -> list[dict[str, Any]]:
    """Made when they are used: times are those of then."""
    return [
        {"claims": {"nonce": "of-another-question"}}, {"claims": {"nonce": None}},
        {"claims": {"aud": "another-client"}}, {"claims": {"aud": None}},
        {"claims": {"aud": [CLIENT, "another"]}}, {"claims": {"aud": [CLIENT, "x"], "azp": "x"}},
        {"claims": {"azp": "another"}}, {"claims": {"iss": "https://evil.example.org"}},
        {"claims": {"exp": now(-61)}}, {"claims": {"exp": None}}, {"claims": {"iat": None}},
        {"claims": {"iat": now(-700), "exp": now(300)}}, {"claims": {"nbf": now(2000)}},
        {"claims": {"iat": now(2000)}}, {"claims": {"sub": ""}}, {"claims": {"sub": "x" * 256}},
        {"claims": {"sub": None}}, {"alg": "none"}, {"alg": "HS256"},
        {"header": {"kid": "another"}}, {"header": {"kid": "unknown"}},
    ]  # fmt: skip


def test_a_token_that_is_not_the_answer_is_refused(site: Site) -> None:
    for spoilt in spoilt_ones():
        usual: dict[str, Any] = {"claims": {}, "header": {}, "alg": "RS256"}
        for name, value in {**usual, **spoilt}.items():
            setattr(site.provider, name, value)
        answer = site.enter()
        assert answer.status_code == 401, (spoilt, answer.text)
        assert "token" not in answer.json()
    with reading(site.api.engine) as connection:
        assert connection.execute(select(externals)).all() == []


def test_a_secret_goes_over_https_alone(site: Site) -> None:
    site.provider.published = {"token_endpoint": "http://example.org/token"}
    assert site.enter().status_code == 503


def test_clocks_may_differ_a_little(site: Site) -> None:
    site.provider.claims = {"exp": now(-10), "iat": now(40), "nbf": now(40)}
    assert site.enter().status_code == 200


@pytest.mark.parametrize("alg", ["ES256", "RS512", "PS256"])
def test_other_signatures_that_count(site: Site, alg: str) -> None:
    site.provider.alg = alg
    assert site.enter().status_code == 200


def test_a_signature_of_another_key_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    published = site.provider.jwks()
    site.provider.number, site.provider.header = 1, {"kid": "key-0"}
    monkeypatch.setattr(Provider, "jwks", lambda self: published)
    assert site.enter().status_code == 401


def test_what_was_begun_counts_once_in_one_browser_for_one_provider(site: Site) -> None:
    back = site.begin()
    for change in ({"browser": "x" * 30}, {"state": "y" * 30}):
        assert site.end({**back, **change}).status_code == 401
    assert site.end(back, "wechat").status_code == 401
    assert site.end(back).status_code == 200
    assert site.end(back).status_code == 401
    site.provider.codes[back["code"]] = {}
    assert site.end(back).status_code == 401


def test_a_code_of_somebody_elses_sign_in_is_refused(site: Site) -> None:
    """It was given for another challenge: the provider says so, and the state has ended."""
    theirs, mine = site.begin(browser="another-browser-than-ours"), site.begin()
    assert site.end({**mine, "code": theirs["code"]}).status_code == 401
    assert site.end(mine).status_code == 401


def test_an_answer_of_another_issuer_is_refused(site: Site) -> None:
    assert site.end({**site.begin(), "iss": "https://evil.example.org"}).status_code == 401
    assert site.end({**site.begin(), "iss": ""}).status_code == 200
    site.provider.published = {"authorization_response_iss_parameter_supported": True}
    with_it = Oidc(told(site.provider.issuer).ways[0], Https())
    asked = Asked("s", "n", "v", "b")
    with pytest.raises(Rejected):
        with_it.proof(asked, "code", "")


def test_a_sign_in_ends_after_ten_minutes(site: Site) -> None:
    back = site.begin()
    with changing(site.api.engine) as connection:
        connection.execute(update(table).values(expires=table.c.expires - signins.LASTS * 1000))
    assert site.end(back).status_code == 401


def test_too_many_sign_ins_under_way_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signins, "MOST", 2)
    for _ in range(2):
        site.begin()
    answer = site.api("", "POST", "/api/v1/sign-in/corp", json={"browser": BROWSER})
    assert answer.status_code == 429


def test_an_account_with_a_password_is_not_given_to_a_provider(site: Site) -> None:
    """Nor is a name whose home would be that of another."""
    with changing(site.api.engine) as connection:
        for name in ("local@example.org", "only@example.org"):
            people.set_password(connection, name, PASSWORD)
        people.set_identity(connection, "local@example.org", 4000, 4000, [])
        people.set_identity(connection, "Twin@other.org", 4001, 4001, [])
    for name, code in (("local", 403), ("only", 409), ("twin", 409), ("ann", 409)):
        domain = "other" if name == "only" else "example"
        site.provider.who |= {"sub": name, "email": f"{name}@{domain}.org"}
        site.provider.claims = {"groups": ["gpu"]}
        answer = site.enter()
        assert answer.status_code == code, (name, answer.text)
    assert "sign in with it, and connect" in _detail(site, "local@example.org")


def _detail(site: Site, email: str) -> str:
    site.provider.who["email"] = email
    return str(site.enter().json()["detail"])


def test_connecting_needs_ones_own_account(site: Site) -> None:
    with changing(site.api.engine) as connection:
        people.set_password(connection, "bob", PASSWORD)
        site.api.tokens["bob"] = people.give_token(connection, "bob", "x", 3600)
    site.provider.who = {"sub": "openid-1"}
    back = site.begin("wechat", "bob")
    assert site.end(back, "wechat").status_code == 401  # nobody
    assert site.end(site.begin("wechat", "bob"), "wechat", "ann").status_code == 403
    assert site.end(site.begin("wechat", "bob"), "wechat", "bob").json() == {
        "user": "bob", "token": "",
    }  # fmt: skip
    assert site.me(site.enter("wechat"))["user"] == "bob"
    assert site.end(site.begin("wechat", "ann"), "wechat", "ann").status_code == 409
    (one,) = site.api("bob", "GET", "/api/v1/connections").json()
    assert one["issuer"] == f"{site.provider.issuer}#{CLIENT}"
    path = f"/api/v1/connections/{one['id']}"
    assert site.api("ann", "DELETE", path).status_code == 409  # no password of her own
    assert site.api("bob", "DELETE", path).status_code == 204
    assert site.api("bob", "DELETE", path).status_code == 404
    assert site.enter("wechat").status_code == 403
    with reading(site.api.engine) as connection:
        done = connection.execute(select(audit.c.action)).scalars().all()
    assert {"connect wechat", "disconnect"} <= set(done)


def test_wechat_needs_a_code_and_the_secret(site: Site) -> None:
    back = site.begin("wechat")
    (asked,) = site.provider.codes.values()
    assert (asked["appid"], asked["scope"]) == (CLIENT, "snsapi_login")
    answer = site.end({**back, "code": "x"}, "wechat")
    assert answer.status_code == 401
    assert "vouches for no address" in str(site.enter("wechat").json()["detail"])


def test_people_who_were_removed_stay_so(site: Site) -> None:
    site.me(site.enter())
    with changing(site.api.engine) as connection:
        connection.exec_driver_sql("DELETE FROM identity WHERE identityName = 'new@example.org'")
        values = {"identityName": "new@example.org", "uid": 5001, "gid": 5000}
        connection.execute(insert(identity_removed).values(values))
    assert "was removed" in site.enter().json()["detail"]
    site.provider.who["sub"] = "made-anew"
    assert "was removed" in site.enter().json()["detail"]
    site.provider.who = {"sub": "2", "email": "two@example.org", "email_verified": True}
    assert site.me(site.enter())["uid"] == 5002  # the number stays his


def test_a_provider_speaks_for_its_own_domains(database: Engine, provider: Provider) -> None:
    for domains, code in ((("example.org",), 200), (("other.org",), 403)):
        settings = told(provider.issuer, domains=domains)
        with TestClient(create(database, told=settings)) as client:
            site = Site(Api(database, client, {}), provider)
            provider.who["sub"] = domains[0]
            assert site.enter().status_code == code


def test_a_provider_that_is_away_is_told(site: Site) -> None:
    back = site.begin()
    site.provider.away = True
    answer = site.end(back)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_provider_that_did_not_answer_is_left_alone_for_a_while(provider: Provider) -> None:
    """So that nobody can keep the API waiting for it."""
    at, asked = [0.0], Asked("state", "nonce", "verifier", "https://portal/back")
    one = Oidc(told(provider.issuer).ways[0], Https(), lambda: at[0])
    provider.away = True
    for _ in range(3):
        with pytest.raises(Away):
            one.address(asked)
    assert len(provider.said) == 1
    provider.away = False
    at[0] += oidc.PAUSE
    assert one.address(asked).startswith(f"{provider.issuer}/authorize?")


def test_a_provider_that_calls_itself_otherwise_is_none(site: Site) -> None:
    site.provider.published = {"issuer": "https://evil.example.org"}
    answer = site.api("", "POST", "/api/v1/sign-in/corp", json={"browser": BROWSER})
    assert answer.status_code == 503


def test_a_secret_in_the_body_where_that_alone_is_known(site: Site) -> None:
    known = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    site.provider.published = known
    assert site.enter().status_code == 200
    assert not [path for _, path, _ in site.provider.said if SECRET in path]


def test_keys_that_change_are_read_again_and_not_without_end(provider: Provider) -> None:
    at = [0.0]
    one = Oidc(told(provider.issuer).ways[0], Https(), lambda: at[0])

    def enters() -> bool:
        asked = Asked("state", f"nonce-{at[0]}", "verifier", "https://portal/back")
        back = provider.consent(one.address(asked))
        try:
            return bool(one.proof(asked, back["code"], back["iss"]).subject)
        except Rejected:
            return False

    def readings() -> int:
        return len([path for _, path, _ in provider.said if path == "/jwks"])

    assert enters() and readings() == 1
    provider.number = 1
    assert not enters() and readings() == 1  # they were read just now
    at[0] += keys.PAUSE + 1
    assert enters() and readings() == 2
    provider.header = {"kid": "invented"}
    assert not enters() and not enters() and readings() == 2
    provider.header = {}
    at[0] += keys.KEPT + 1
    assert enters() and readings() == 3


def test_signing_in_in_a_real_database(real: Engine, provider: Provider) -> None:
    for site in made(real, provider, told(provider.issuer)):
        assert site.me(site.enter())["uid"] == 5001
        assert site.me(site.enter())["user"] == "new@example.org"


def test_two_people_who_come_at_once_get_different_numbers(real: Engine) -> None:
    """Whoever comes second waits for the first, and sees the number that is taken."""
    settings, found = told("https://sso.example.org"), dict[str, int]()

    def enters(connection: Connection, name: str) -> None:
        way = settings.ways[0]
        user = entry.enter(connection, settings, way, way.issuer, name, name, None)
        found[user] = people.identity_of(connection, user).uid

    def second() -> None:
        with changing(real) as connection:
            enters(connection, "two@example.org")

    with changing(real) as connection:
        enters(connection, "one@example.org")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(1)  # it waits for the end of this transaction, however long that takes
        assert "two@example.org" not in found
    thread.join()
    assert found == {"one@example.org": 5001, "two@example.org": 5002}


@pytest.mark.parametrize("address", [
    "http://example.org", "ftp://example.org", "https://a:b@example.org", "https://",
    "javascript:1", "https://[", "", "//example.org",
])  # fmt: skip
def test_an_address_that_others_can_listen_at_is_not_asked(address: str) -> None:
    assert not private(address)
    with pytest.raises(Away):
        Https().ask("GET", address, {})


def test_settings_are_read_from_a_file_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sign-in.json"
    given = {"PLATFORM_SIGN_IN_FILE": str(path)}
    assert sign_in(given) == SignIn()
    path.write_text(
        '{"address": "https://x", "ways": [{"name": "a/b", "client_secret": "s3cret"}]}'
    )
    with pytest.raises(Missing) as found:
        sign_in(given)
    assert "ways.0.name" in str(found.value) and "s3cret" not in str(found.value)
    path.write_text("{")
    with pytest.raises(Missing, match="cannot be read"):
        sign_in(given)


def test_without_settings_there_is_no_way(api: Api) -> None:
    assert api("", "GET", "/api/v1/sign-in").json() == {"address": "", "ways": []}
    answer = api("", "POST", "/api/v1/sign-in/corp", json={"browser": BROWSER})
    assert answer.status_code == 404


def test_ways_are_shown_without_what_is_secret(site: Site) -> None:
    answer = site.api("", "GET", "/api/v1/sign-in")
    assert answer.json()["ways"][0] == {"name": "corp", "title": "Corp <b>"}
    assert SECRET not in answer.text and CLIENT not in answer.text
