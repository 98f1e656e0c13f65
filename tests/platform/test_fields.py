"""Every field that the API takes, as its own description lists them, with texts that mean something
to a shell, to SQL, YAML, HTML or Kubernetes: none of them is a defect, and none does anything."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, inspect, select

from jobplatform.api.app import create
from jobplatform.manager.pods import objects
from jobplatform.model.request import Request
from jobplatform.model.signin import SignIn
from jobplatform.store import people
from jobplatform.store.database import changing, reading
from jobplatform.store.tables import identity, jobs, vc
from tests.support.platform.clients import JOB, NASTY, PASSWORD, Api, settle
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.platform.managers import Site, attempt

LEFT_OUT = {"/api/v1/logout"}
"""It ends the token with which all the others are asked."""


@pytest.fixture
def api(database: Engine) -> Iterator[Api]:
    made = create(database, FakeKubernetes(), told=SignIn(address="https://portal.example.org"))
    with TestClient(made, raise_server_exceptions=False) as client:
        yield Api(database, client, settle(database))


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, list[Any], dict[str, Any]]]:
    """Method, path, parameters and the fields of the body, of all that the API does."""
    for path, methods in spec["paths"].items():
        for method, told in methods.items():
            content = told.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            name = schema.get("$ref", "").rpartition("/")[2]
            fields = spec["components"]["schemas"].get(name, {}).get("properties", {})
            if path not in LEFT_OUT:
                yield method.upper(), path, told.get("parameters", []), fields


def plain(fields: dict[str, Any]) -> dict[str, Any]:
    """A body in which each field is of its kind."""
    kinds = {"integer": 1, "boolean": True, "array": [], "object": {}, "string": "x"}
    return {name: kinds.get(one.get("type", "string"), "x") for name, one in fields.items()}


@pytest.mark.parametrize("text", NASTY)
def test_no_field_of_any_path_takes_a_text_for_more_than_that(api: Api, text: str) -> None:
    asked = 0
    for method, path, parameters, fields in operations(api.client.get(
            "/api/v1/openapi.json").json()):  # fmt: skip
        for given in parameters:
            url, query = path, {}
            if given["in"] == "path":
                url = path.replace(f"{{{given['name']}}}", text)
            else:
                query = {given["name"]: text}
            answer = api("root", method, url, params=query, json=plain(fields) or None)
            assert answer.status_code < 500, (method, path, given["name"], answer.text)
            asked += 1
        for name in fields:
            for value in (text, [text], {text: text}):
                answer = api("root", method, path, json={**plain(fields), name: value})
                assert answer.status_code < 500, (method, path, name, answer.text)
                asked += 1
    assert asked > 150
    unharmed(api)


def unharmed(api: Api) -> None:
    """The tables, the people and the virtual clusters are those that there were."""
    assert {"jobs", "identity", "vc", "acl", "tokens"} <= set(inspect(api.engine).get_table_names())
    with reading(api.engine) as connection:
        names = set(connection.execute(select(identity.c.identityName)).scalars())
        assert {"root", "ann", "bob"} <= names <= {"root", "boss", "peer", "ann", "bob", "x"}
        assert (
            {"a", "b"} <= set(connection.execute(select(vc.c.vcName)).scalars()) <= {"a", "b", "x"}
        )
        assert connection.execute(select(jobs.c.jobId)).all() == []


def shape(value: Any) -> Any:
    """Keys and kinds of values, without the values."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return type(value).__name__


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("field", ["name", "vc", "command", "env", "image", "device"])
def test_no_field_of_a_job_changes_what_its_objects_are(field: str, text: str) -> None:
    """A text stands where it was asked for as a value, or is refused."""
    values: dict[str, Any] = {"env": {"A": "1"}, "device": "V100", "devices": 1}
    usual = objects(attempt(**values))
    values[field] = {"A": text} if field == "env" else text
    try:
        Request.model_validate({**JOB, **values})
    except ValueError:
        assert field in {"image", "device"}
        return
    made = objects(attempt(**values))
    assert [(kind, shape(one)) for kind, one in made] == [(kind, shape(one)) for kind, one in usual]
    assert json.loads(json.dumps(made)) == [list(one) for one in made]


def test_no_secret_is_logged_or_told_to_kubernetes(
    database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Passwords, tokens and codes of people; variables of jobs reach their pods and no log."""
    caplog.set_level(logging.DEBUG)
    variable, site = "canary-of-a-variable", Site(database)
    with changing(database) as connection:
        people.set_password(connection, "ann@example.org", PASSWORD)
        people.allow(connection, "ann@example.org", "Cluster", 7)
    made = create(database, told=SignIn(address="https://portal.example.org"))
    with TestClient(made, raise_server_exceptions=False) as client:
        given = {"user": "ann@example.org", "password": PASSWORD}
        token = client.post("/api/v1/login", json=given).json()["token"]
        known = {"Authorization": f"Bearer {token}"}
        begun = client.post("/api/v1/device-grants", json={"machine": "x"}).json()
        client.post("/api/v1/device-grants/look", headers=known, json={"user_code": "BBBBBBBB"})
        client.post("/api/v1/login", json={**given, "password": PASSWORD + "wrong"})
        job = {**JOB, "env": {"SECRET": variable}}
        number = client.post("/api/v1/jobs", headers=known, json=job).json()["id"]
        client.post("/api/v1/jobs", headers=known, json={**job, "image": "a b"})
        site.turns()
        site.cluster.refusal = f"refused: {token[:4]}"
        client.get(f"/api/v1/jobs/{number}/log", headers=known)
    secrets = [PASSWORD, token, begun["device_code"], begun["user_code"]]
    assert [one for one in [*secrets, variable] if one in caplog.text] == []
    told = str(site.cluster.objects)
    assert variable in told and [one for one in secrets if one in told] == []
