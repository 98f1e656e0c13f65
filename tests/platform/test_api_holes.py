"""The predecessor's holes, one by one, as attempts that are refused.

The numbers are those of the list of holes: each test says what could be done there.
"""

from __future__ import annotations

import logging

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from jobplatform.api.app import create
from jobplatform.api.edge import LARGEST
from jobplatform.model import passwords
from jobplatform.store import people
from jobplatform.store.database import changing, reading
from jobplatform.store.tables import audit, login, tokens
from tests.support.platform.clients import JOB, PASSWORD, Api

OPEN = {
    "/healthz",
    "/readyz",
    "/api/v1/device-grants",
    "/api/v1/device-grants/token",
    "/api/v1/login",
    "/api/v1/openapi.json",
    "/api/v1/sign-in",
    "/api/v1/sign-in/{name}",
    "/api/v1/sign-in/{name}/return",
}


def routes(api: Api) -> list[tuple[str, str]]:
    spec = api.client.get("/api/v1/openapi.json").json()
    return [(method, path) for path, methods in spec["paths"].items() for method in methods]


def test_hole_1_and_13_nothing_answers_without_a_token_whoever_is_named(api: Api) -> None:
    found = routes(api)
    assert len(found) > 40
    for method, path in found:
        if path not in OPEN:
            url = path.replace("{", "").replace("}", "")
            for query in ("", "?userName=root"):
                answer = api.client.request(method.upper(), url + query)
                assert answer.status_code == 401, (method, path)


def test_hole_1_the_name_in_the_query_is_not_who_asks(api: Api) -> None:
    number = api.submit()
    assert api("bob", "GET", f"/KillJob?jobId={number}&userName=ann").status_code == 403
    assert api("ann", "GET", f"/KillJob?jobId={number}&userName=ann").status_code == 200


def test_an_administrator_acts_as_another_with_the_others_rights_and_it_is_written(
    api: Api,
) -> None:
    number = api.submit()
    assert api("root", "GET", f"/KillJob?jobId={number}&userName=bob").status_code == 404
    assert api("root", "GET", f"/KillJob?jobId={number}&userName=ann").status_code == 200
    with reading(api.engine) as connection:
        rows = connection.execute(select(audit.c.actor, audit.c.subject)).all()
    assert [tuple(row) for row in rows] == [("root", "bob"), ("root", "ann")]


def test_hole_5_no_submitter_decides_about_the_node(api: Api) -> None:
    old = {"jobName": "n", "vcName": "a", "image": "x:1", "cmd": "ls"}
    asked = {"hostNetwork": True, "hostIPC": True, "isPrivileged": True, "containerUserId": 1,
             "nodeSelector": {"a": "b"}, "mountpoints": [{"hostPath": "/"}]}  # fmt: skip
    for name, value in asked.items():
        answer = api("ann", "POST", "/PostJob", json={**old, name: value})
        assert (answer.status_code, name in answer.text) == (422, True)
    assert api("ann", "POST", "/PostJob", json=old).status_code == 200


def test_hole_10_passwords_are_not_made_from_anything_and_tokens_are_not_kept(api: Api) -> None:
    first, second = passwords.hashed(PASSWORD), passwords.hashed(PASSWORD)
    assert first != second and passwords.matches(PASSWORD, first)
    assert not passwords.matches("md5", "d41d8cd98f00b204e9800998ecf8427e")
    with reading(api.engine) as connection:
        kept = str(connection.execute(select(tokens)).all())
    assert not any(token in kept for token in api.tokens.values())


def test_hole_11_private_keys_are_not_taken(api: Api) -> None:
    more = "&uid=5000&gid=5000&groups=[]&private_key=SECRET&public_key=x"
    assert api("root", "GET", f"/AddUser?identityName=eve{more}").status_code == 200
    with reading(api.engine) as connection:
        assert "SECRET" not in str(connection.exec_driver_sql("SELECT * FROM identity").all())


def test_hole_12_the_owner_does_not_approve_and_priorities_are_not_everybodys(api: Api) -> None:
    number = api.submit()
    assert api("ann", "GET", f"/ApproveJob?jobId={number}").status_code == 403
    answer = api("ann", "GET", f"/ApproveJobs?jobIds={number}").json()["result"]
    assert "administrator" in answer[number]
    assert api("bob", "GET", "/jobs/priorities").json() == {}
    assert api("bob", "POST", "/jobs/priorities", json={number: 1}).status_code == 404


@pytest.mark.parametrize("who", ["ann", "peer", "boss"])
def test_hole_13_only_administrators_administer(api: Api, who: str) -> None:
    for path in ("/AddUser?identityName=eve&uid=5000&gid=5000", "/DeleteVC?vcName=b",
                 "/AddVC?vcName=c&quota={}", "/UpdateVC?vcName=b&quota={}",
                 "/UpdateAce?identityName=ann&resourceType=1&permissions=7",
                 "/UpdateAce?identityName=ann&resourceType=2&resourceName=b&permissions=7",
                 ):  # fmt: skip
        assert api(who, "GET", path).status_code == 403, path
    person = {"name": "eve", "uid": 5000, "gid": 5000}
    assert api(who, "PUT", "/api/v1/users", json=person).status_code == 403


def test_no_job_runs_as_root_or_as_somebody_else(api: Api) -> None:
    def add(name: str, uid: int, gid: int = 5000) -> int:
        given = {"name": name, "uid": uid, "gid": gid}
        return int(api("root", "PUT", "/api/v1/users", json=given).status_code)

    assert [add("eve", 0), add("eve", 999), add("eve", 5000, 0)] == [422] * 3
    assert add("eve", 5000) == 204
    assert add("mallory", 5000) == 409


def test_hole_17_two_people_of_one_alias_are_not_taken_for_one(api: Api) -> None:
    def add(name: str, uid: int) -> int:
        given = {"name": name, "uid": uid, "gid": 5000}
        return int(api("root", "PUT", "/api/v1/users", json=given).status_code)

    assert [add("kim@one.org", 5001), add("kim@two.org", 5002), add("Kim@one.org", 5003)] == [
        204, 409, 409,
    ]  # fmt: skip
    assert add("kim@one.org", 5004) == 204


def test_hole_14_passwords_are_not_stored_shown_or_logged(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with changing(api.engine) as connection:
        people.set_password(connection, "ann", PASSWORD)
        assert PASSWORD not in str(connection.execute(select(login)).all())
    answer = api("", "POST", "/api/v1/login", json={"user": "ann", "password": PASSWORD})
    assert api.client.get(
        "/api/v1/me", headers={"Authorization": f"Bearer {answer.json()['token']}"}
    ).json()["user"] == "ann"  # fmt: skip
    wrong = api("", "POST", "/api/v1/login", json={"user": ["x"], "password": PASSWORD})
    assert (wrong.status_code, PASSWORD in wrong.text + caplog.text) == (422, False)


def test_guessing_passwords_locks_an_account_for_a_while(api: Api) -> None:
    with changing(api.engine) as connection:
        people.set_password(connection, "ann", PASSWORD)

    def sign_in(password: str) -> int:
        given = {"user": "ann", "password": password}
        return int(api("", "POST", "/api/v1/login", json=given).status_code)

    assert [sign_in("wrong wrong") for _ in range(5)] == [401] * 5
    with changing(api.engine) as connection:  # as long as a test may take
        connection.execute(login.update().values(lockedUntil=2**52))
    assert sign_in(PASSWORD) == 429
    with changing(api.engine) as connection:
        connection.execute(login.update().values(lockedUntil=0))
    assert sign_in(PASSWORD) == 200
    assert (api.client.post("/api/v1/login", json={"user": "nobody", "password": "x"})
            .status_code == 401)  # fmt: skip


def test_hole_15_no_cookie_counts_and_no_foreign_page_is_answered(api: Api) -> None:
    number = api.submit()
    api.client.cookies.set("token", api.tokens["ann"])
    api.client.cookies.set("Authorization", f"Bearer {api.tokens['ann']}")
    assert api("", "GET", f"/KillJob?jobId={number}&token={api.tokens['ann']}").status_code == 401
    answer = api.client.get("/api/v1/me", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_hole_15_tokens_end(api: Api) -> None:
    with changing(api.engine) as connection:
        old = people.give_token(connection, "ann", "old", -1)
    answer = api.client.get("/api/v1/me", headers={"Authorization": f"Bearer {old}"})
    assert answer.status_code == 401
    assert api("ann", "POST", "/api/v1/logout").status_code == 204
    assert api("ann", "GET", "/api/v1/me").status_code == 401


def test_hole_18_what_is_revoked_is_revoked_at_once(api: Api) -> None:
    assert api("ann", "POST", "/api/v1/jobs", json=JOB).status_code == 201
    right = {"user": "ann", "vc": "a", "permissions": 0}
    assert api("boss", "PUT", "/api/v1/rights", json=right).status_code == 204
    assert api("ann", "POST", "/api/v1/jobs", json=JOB).status_code == 404


def test_a_denial_counts(api: Api) -> None:
    with changing(api.engine) as connection:
        connection.execute(text(
            "INSERT INTO acl (identityName, identityId, resource, permissions, isDeny) "
            "VALUES ('root', 1, 'Cluster/VC:a', 7, 1)"
        ))  # fmt: skip
    assert api("root", "POST", "/api/v1/jobs", json=JOB).status_code == 404
    assert api("root", "POST", "/api/v1/jobs", json={**JOB, "vc": "b"}).status_code == 201


def test_who_is_in_a_group_with_a_persons_number_has_the_groups_rights_alone(api: Api) -> None:
    root_s = {"name": "bob", "uid": 2004, "gid": 3000, "groups": [2000]}
    assert api("root", "PUT", "/api/v1/users", json=root_s).status_code == 204
    assert api("bob", "GET", "/api/v1/me").json()["administrator"] is False
    with changing(api.engine) as connection:
        connection.execute(text(
            "INSERT INTO acl (identityName, identityId, resource, permissions, isDeny) "
            "VALUES ('team', 2000, 'Cluster/VC:a', 1, 0)"
        ))  # fmt: skip
    assert api("bob", "GET", "/api/v1/me").json()["vcs"] == {"a": 1, "b": 1}


def test_hole_19_the_job_number_is_ours(api: Api) -> None:
    old = {"jobName": "n", "vcName": "a", "image": "x:1", "cmd": "ls", "jobId": "mine"}
    numbers = {api("ann", "POST", "/PostJob", json=old).json()["jobId"] for _ in range(2)}
    assert len(numbers) == 2 and "mine" not in numbers


def test_hole_32_many_kinds_of_devices_have_a_quota(api: Api) -> None:
    wide = {f"device-{i:04}": i for i in range(100)}
    settings = {"quota": wide, "user_quota": 3, "fifo": True}
    assert api("root", "PUT", "/api/v1/vcs/a", json=settings).status_code == 204
    (found,) = api("ann", "GET", "/api/v1/vcs").json()
    assert (found["quota"], found["user_quota"], found["fifo"]) == (wide, 3, True)


@pytest.mark.parametrize(
    "path",
    ["/AddVC?vcName=x&quota=[]", "/AddVC?vcName=x&quota={", "/AddVC?vcName=../x&quota={}",
     '/AddVC?vcName=x&quota={"V100":-1}', '/AddVC?vcName=x&quota={"V100":1e400}',
     "/AddVC?vcName=x&quota={}&metadata=1", "/AddUser?identityName=a%0ab&uid=5000&gid=5000",
     "/AddUser?identityName=-rf&uid=5000&gid=5000", "/AddUser?identityName=e&uid=NaN&gid=5000",
     "/UpdateAce?identityName=a b&resourceType=1&permissions=7",
     "/UpdateAce?identityName=ann&resourceType=2&resourceName=../../x&permissions=7",
     "/UpdateAce?identityName=ann&resourceType=1&permissions=8"],
)  # fmt: skip
def test_an_administrators_input_is_checked_too(api: Api, path: str) -> None:
    assert api("root", "GET", path).status_code == 422


def test_large_requests_are_refused_before_they_are_read(api: Api) -> None:
    assert api("ann", "POST", "/api/v1/jobs", content=b"x" * (LARGEST + 1)).status_code == 413
    assert api("ann", "POST", "/api/v1/jobs", content=iter([b"{}"])).status_code == 411


def test_deep_json_is_a_mistake_and_no_defect(api: Api) -> None:
    deep = "[" * 20_000
    assert api("ann", "POST", "/api/v1/jobs", content=deep).status_code in {400, 422}
    assert api("root", "GET", "/AddVC", params={"vcName": "x", "quota": deep}).status_code == 422


def test_a_defect_shows_nothing_of_itself(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    app = create(api.engine)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("mysql://user:password@host")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/broken")
    assert (answer.status_code, "password" in answer.text) == (500, False)
    assert "RuntimeError" in caplog.text
