"""The API as a test speaks with it: an application over a database, and people with tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from jobplatform.api.app import create
from jobplatform.kubernetes import Logs
from jobplatform.model.rights import ADMIN, CLUSTER, COLLABORATOR, USER, vc
from jobplatform.store import people, vcs
from jobplatform.store.database import changing

JOB = {"name": "train", "vc": "a", "image": "registry:5000/team/torch:1", "command": "nvidia-smi"}
NASTY = ["'; DROP TABLE jobs; --", "$(reboot) `id` && rm -rf / | x > y", "a: {b: [c, &d *d !!x]}",
         "<script>alert(1)</script>", "{{ 7 * 7 }} {% x %} ${y} $(Z) $$", "\\\"'%s%n", "مرحبا 🔑 é",
         "%' OR 1=1 #", "- !!python/object/apply:os.system ['id']"]  # fmt: skip
"""Texts that mean something to SQL, a shell, YAML, HTML, a template or Kubernetes."""
PASSWORD = "correct horse battery staple"
PEOPLE = {"root": (CLUSTER, ADMIN), "boss": (vc("a"), ADMIN), "peer": (vc("a"), COLLABORATOR),
          "ann": (vc("a"), USER), "bob": (vc("b"), USER)}  # fmt: skip
"""root administers all, boss a; peer may see a's jobs, ann may submit there; bob is elsewhere."""


@dataclass
class Api:
    engine: Engine
    client: TestClient
    tokens: dict[str, str]

    def __call__(self, who: str, method: str, path: str, **more: Any) -> Any:
        """The answer to a person's request; an empty name asks without a token."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        if "content" in more:
            headers["Content-Type"] = "application/json"
        return self.client.request(method, path, headers=headers, **more)

    def submit(self, who: str = "ann", **fields: Any) -> str:
        answer = self(who, "POST", "/api/v1/jobs", json={**JOB, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def settle(engine: Engine) -> dict[str, str]:
    """The people above with numbers, rights and a token each, and two virtual clusters."""
    with changing(engine) as connection:
        for name in "ab":
            vcs.add(connection, name, {"V100": 8}, {})
        for number, (name, (resource, bits)) in enumerate(PEOPLE.items()):
            people.set_identity(connection, name, 2000 + number, 3000, [3000])
            people.allow(connection, name, resource, bits)
        return {name: people.give_token(connection, name, "test", 3600) for name in PEOPLE}


@contextmanager
def serving(engine: Engine, source: Logs | None = None) -> Iterator[TestClient]:
    with TestClient(create(engine, source), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def api(database: Engine) -> Iterator[Api]:
    with serving(database) as client:
        yield Api(database, client, settle(database))
