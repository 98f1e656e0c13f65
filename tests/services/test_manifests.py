"""The services that come with dlws: what every one of them has to have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlws.core import resources
from dlws.core.errors import UsageError
from dlws.services.folder import load_all
from dlws.services.manifests import documents, references, template_of
from dlws.services.values import Templates
from tests.support.fakes import Make

NAMES = sorted(path.name for path in (resources.templates() / "services").iterdir())


@pytest.fixture
def templates(tmp_path: Path, make: Make) -> Iterator[tuple[str, dict[str, Any]]]:
    cluster = make().cluster
    found = Templates(cluster)
    return iter(
        (f"{one.source} {container['name']}", container)
        for service in load_all(tmp_path).values()
        for one in found.objects(service)
        if (template := template_of(one.body))
        for container in template["spec"]["containers"]
    )


def test_all_services_say_what_they_are(tmp_path: Path) -> None:
    assert [name for name, one in load_all(tmp_path).items() if not one.says.description] == []


def test_images_have_a_tag_that_stays(templates: Iterator[tuple[str, dict[str, Any]]]) -> None:
    for where, container in templates:
        tag = container["image"].rpartition("/")[2].partition(":")[2]
        assert tag and not tag.startswith("latest"), where


def test_containers_have_limits_and_probes_and_say_what_they_may(
    templates: Iterator[tuple[str, dict[str, Any]]],
) -> None:
    seen = 0
    for where, container in templates:
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), where
        assert {"cpu", "memory"} <= set(container["resources"]["limits"]), where
        assert "readinessProbe" in container, where
        assert container["securityContext"], where
        seen += 1
    assert seen >= len(NAMES)


@pytest.mark.parametrize("text", ["[", "[" * 5000, "a: \0", "- ]"])
def test_what_is_no_yaml_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=r"x\.yaml.*: this is not YAML"):
        list(documents(text, "x.yaml"))


def test_what_pods_read_is_found_wherever_it_stands() -> None:
    spec = {
        "volumes": [{"secret": {"secretName": "s"}}, {"configMap": {"name": "m"}}],
        "containers": [
            {"envFrom": [{"configMapRef": {"name": "f"}}]},
            {"env": [{"valueFrom": {"secretKeyRef": {"name": "k", "key": "x"}}}]},
        ],
    }
    assert references(spec) == {
        ("Secret", "s"), ("ConfigMap", "m"), ("ConfigMap", "f"), ("Secret", "k"),
    }  # fmt: skip


def test_aliases_in_aliases_are_refused_before_they_are_written_out() -> None:
    lines = [
        "apiVersion: v1",
        "kind: ConfigMap",
        "metadata: {name: x}",
        "data:",
        "  a0: &a0 [x, x]",
    ]
    lines += [f"  a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    with pytest.raises(UsageError, match="amounts to") as error:
        list(documents("\n".join(lines), "s/x.yaml"))
    assert "aliases" in error.value.cure
    with pytest.raises(UsageError, match="not YAML"):
        list(documents("a: &a [*a]\n", "s/x.yaml"))
    ((found, _),) = documents("a: &a [1]\nb: *a\n", "s/x.yaml")
    assert found == {"a": [1], "b": [1]}
