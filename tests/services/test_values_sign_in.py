"""Ways to sign in, from config.yaml to the file that the job platform reads."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from dlws.services.manifests import Object
from jobplatform.model.signin import SignIn, admits, numbers, ranges
from tests.support.examples import cluster_of, filled_in, objects_of

TENANT = "6f1f2d6e-0000-4000-8000-000000000001"
GROUPS = {
    "DLWSAdmins": {"Allowed": ["admin@example.org"], "uid": "20000", "gid": "20001"},
    "DLWSRegister": {"Allowed": ["@example.org"], "uid": "20001 - 29999", "gid": "20002"},
    "Others": {"Allowed": ["@other.org"], "uid": "1-99", "gid": "7"},
}
WAYS = {
    "Microsoft": {"TenantId": TENANT, "ClientId": "client", "ClientSecret": "ms-secret"},
    "Wechat": {"AppId": "app", "AppSecret": "wx-secret", "Title": "微信"},
    "keycloak": {"Issuer": "https://sso.example.org/realms/a b", "ClientId": 7, "Claim": "upn",
                 "ClientSecret": "kc-x", "Domains": ["Example.org"], "Scopes": ["openid"],
                 "Groups": {"gpu 'users'": "DLWSAdmins", "x": 4000}, "GroupsClaim": "roles"},
    "DingTalk": {"AppKey": "x"},
}  # fmt: skip


def rendered(place: Path, **changes: Any) -> tuple[SignIn, list[Object]]:
    found = objects_of(cluster_of(place, filled_in(UserGroups=GROUPS, **changes)))
    (secret,) = [one for one in found["restfulapi2"] if one.kind.name == "Secret"]
    text = base64.b64decode(secret.body["data"]["sign-in.json"])
    everything = [one for objects in found.values() for one in objects]
    return SignIn.model_validate_json(text), everything


def test_ways_of_config_yaml_are_read_by_the_platform(tmp_path: Path) -> None:
    told, objects = rendered(
        tmp_path, Authentications=WAYS, WebUIregisterGroups=["DLWSRegister"],
        WebUIadminGroups=["DLWSAdmins"], WebUIauthorizedGroups=[],
    )  # fmt: skip
    microsoft, wechat, keycloak = told.ways
    assert microsoft.issuer == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert (microsoft.claim, microsoft.title) == ("preferred_username", "Microsoft")
    assert (wechat.kind, wechat.client_id, wechat.title) == ("wechat", "app", "微信")
    assert keycloak.issuer == "https://sso.example.org/realms/a b"
    assert keycloak.client_secret.get_secret_value() == "kc-x"
    assert keycloak.groups == {"gpu 'users'": 20001, "x": 4000}
    assert (keycloak.domains, keycloak.scopes) == (("example.org",), ("openid",))
    assert (keycloak.claim, keycloak.groups_claim) == ("upn", "roles")
    assert told.back(wechat) == "https://mycluster.example.org/sign-in/return/Wechat"
    words = str([one.body for one in objects if one.kind.name != "Secret"])
    assert "ms-secret" not in words and "wx-secret" not in words


def test_groups_say_who_is_let_in_and_with_which_numbers(tmp_path: Path) -> None:
    told, _ = rendered(
        tmp_path, WebUIregisterGroups=["DLWSRegister"], WebUIadminGroups=["DLWSAdmins"],
        WebUIauthorizedGroups=[],
    )  # fmt: skip
    assert told.ways == ()
    assert admits(told, "admin@example.org", []) and admits(told, "new@example.org", [])
    assert not admits(told, "x@other.org", []) and not admits(told, "x@notexample.org", [])
    assert admits(told, "x@other.org", [20001])
    assert ranges(told, "new@example.org", [])[0] == (20001, 29999)
    assert ranges(told, "admin@example.org", [])[0] == (20000, 20000)
    assert ranges(told, "x@other.org", []) == [(30001, 899999999)]  # 1-99 are the system's
    assert numbers(told, "x@other.org", []) == ()
    assert numbers(told, "admin@example.org", [4000]) == (20001, 20002, 4000)


def test_an_authority_of_the_sites_own_is_told(tmp_path: Path) -> None:
    (tmp_path / "deploy/sign-in").mkdir(parents=True)
    (tmp_path / "deploy/sign-in/ca.crt").write_text("-----BEGIN CERTIFICATE-----\nx\n")
    told, _ = rendered(tmp_path)
    assert told.ca == "-----BEGIN CERTIFICATE-----\nx\n"
