"""A service's manifests as objects: read from its files, and given what makes them ours. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from dlws.config.reading.source import Bounded
from dlws.core.errors import UsageError
from dlws.services.kinds import Kind, Kinds, rank

Json = dict[str, Any]
SERVICE, HASH, INPUTS = "dlws.io/service", "dlws.io/hash", "dlws.io/inputs"
"""The label of what is ours, and annotations: of the manifest, of what pods read."""
ANSWERS = "dlws.io/answers"
"""The annotation with the addresses at which people find a service, apart by blanks."""
MASK = "(secret)"
_LARGEST = 500_000
"""Values of an object, with its aliases written out: etcd keeps none of more than 1.5 MiB."""

_DEEPEST = 200
"""Levels of an object: definitions of kinds have many."""


class Key(NamedTuple):
    """What two versions of one object have in common."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclass(frozen=True)
class Object:
    """An object that a service wants."""

    body: Json = field(repr=False)
    kind: Kind
    source: str
    """The file it is from, and the line in what that renders to."""

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.body["metadata"].get("namespace", ""))

    @property
    def key(self) -> Key:
        return Key(self.kind.group, self.kind.name, self.namespace, self.name)

    @property
    def path(self) -> str:
        return self.kind.path(self.namespace, self.name)

    @property
    def hash(self) -> str:
        return str(self.body["metadata"]["annotations"][HASH])


@cache
def _loader() -> type[Bounded]:
    class Loader(Bounded):
        """Leaves dates as the texts that they are in JSON."""

        deepest = _DEEPEST

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith(":timestamp")]
        for first, pairs in Bounded.yaml_implicit_resolvers.items()
    }
    return Loader


def documents(text: str, source: str) -> Iterator[tuple[Json, str]]:
    """The objects in a file, and where each begins. UsageError where one is none."""
    import yaml

    try:
        yield from _documents(text, source)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(
            f"{source}{line}: this is not YAML: {error.problem}",
            "the line is of what the file renders to",
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{source}: this is not YAML: {error}") from error


def _documents(text: str, source: str) -> Iterator[tuple[Json, str]]:
    loader = _loader()(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            _check_amount(node, source)
            data = loader.construct_document(node)
            for one in _items(data):
                yield one, f"{source}:{node.start_mark.line + 1}"
    finally:
        loader.dispose()


def _check_amount(node: Any, source: str) -> None:
    """Raise UsageError where the aliases of a short document amount to a huge one."""
    known: dict[int, int] = {}

    def amount(one: Any) -> int:
        if id(one) not in known:
            inner = one.value if isinstance(one.value, list) else []
            parts = (
                part for pair in inner for part in (pair if isinstance(pair, tuple) else [pair])
            )
            known[id(one)] = 1 + sum(map(amount, parts))
        return known[id(one)]

    if (found := amount(node)) > _LARGEST:
        raise UsageError(
            f"{source}:{node.start_mark.line + 1}: this document amounts to {found} values",
            "write values out rather than nesting aliases (*NAME) in aliases",
        )


def _items(data: Any) -> list[Json]:
    if data is None:
        return []
    if isinstance(data, dict) and data.get("kind") == "List":
        return list(data.get("items") or [])
    return [data]


def objects(
    found: Sequence[tuple[Json, str]], service: str, namespace: str, kinds: Kinds
) -> list[Object]:
    """The objects of a service in the order in which they are applied."""
    for body, source in found:
        _check(body, source)
    _learn(kinds, found)
    made = [_read(body, source, service, namespace, kinds) for body, source in found]
    by_key: dict[Key, Object] = {}
    for one in made:
        if one.key in by_key:
            raise UsageError(
                f"{one.source}: {one.key} stands in {by_key[one.key].source} already",
                "remove one of both",
            )
        by_key[one.key] = one
    ordered = sorted(made, key=lambda one: rank(one.kind.name))
    return [_finished(one, by_key) for one in ordered]


def _check(body: Any, source: str) -> None:
    said = body if isinstance(body, dict) else {}
    metadata = said.get("metadata") if isinstance(said.get("metadata"), dict) else {}
    for name, value in (
        ("apiVersion", said.get("apiVersion")),
        ("kind", said.get("kind")),
        ("metadata.name", (metadata or {}).get("name")),
    ):
        if not isinstance(value, str) or not value:
            raise UsageError(f"{source}: this object has no {name}", f"give it a {name} (a text)")


def _learn(kinds: Kinds, found: Sequence[tuple[Json, str]]) -> None:
    for body, source in found:
        with _shaped(body, source):
            kinds.learn([body])


def _read(body: Json, source: str, service: str, namespace: str, kinds: Kinds) -> Object:
    with _shaped(body, source):
        return _object(body, source, service, namespace, kinds)


def _finished(one: Object, by_key: Mapping[Key, Object]) -> Object:
    with _shaped(one.body, one.source):
        return _hashed(_with_inputs(one, by_key))


@contextmanager
def _shaped(body: Json, source: str) -> Iterator[None]:
    """UsageError where an object has a text or a list where its kind has a map, or lacks a key."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"{source}: this {body['kind']} has another shape than its kind: "
            f"{type(error).__name__}: {str(error)[:200]}",
            "correct it: kubectl explain says what a kind has",
        ) from error


def _object(body: Json, source: str, service: str, namespace: str, kinds: Kinds) -> Object:
    kind = kinds.of(body["apiVersion"], body["kind"])
    made: Json = _without_none(body)
    made.pop("status", None)
    metadata = made["metadata"]
    metadata.pop("creationTimestamp", None)
    if kind.namespaced:
        metadata.setdefault("namespace", namespace)
    else:
        metadata.pop("namespace", None)
    metadata["labels"] = {**(metadata.get("labels") or {}), SERVICE: service}
    if kind.name == "Secret":
        _encode(made)
    _fill_protocols(made)
    if template := template_of(made):
        inner = template.setdefault("metadata", {})
        inner["labels"] = {**(inner.get("labels") or {}), SERVICE: service}
    return Object(made, kind, source)


def _without_none(value: Any) -> Any:
    """The value without keys that say nothing: server-side apply would not know whose they are."""
    if isinstance(value, dict):
        return {str(k): _without_none(item) for k, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _encode(secret: Json) -> None:
    """Move stringData to data, of which alone the API server says who set it."""
    plain = secret.pop("stringData", None) or {}
    coded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
    if coded:
        secret["data"] = {**(secret.get("data") or {}), **coded}


def _fill_protocols(body: Json) -> None:
    """Say that ports are of TCP: server-side apply of older releases knows no default for that."""
    template = template_of(body) or {}
    for one in (body, *(template.get("spec") or {}).get("containers", ())):
        where = one.get("spec") if one is body and body["kind"] == "Service" else one
        for port in (where or {}).get("ports") or []:
            port.setdefault("protocol", "TCP")


def template_of(body: Mapping[str, Any]) -> Json | None:
    """The pod template of a workload, a Job or a CronJob."""
    spec = body.get("spec")
    if not isinstance(spec, dict):
        return None
    if body["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template")
    return template if isinstance(template, dict) and "spec" in template else None


def _with_inputs(one: Object, by_key: Mapping[Key, Object]) -> Object:
    """The object with a hash of the ConfigMaps and Secrets that its pods read.

    A new content of these changes the pod template, so that the pods are replaced.
    """
    template = template_of(one.body)
    if not template or one.kind.name == "Job":  # whose template cannot change
        return one
    read = [
        by_key[key]
        for kind, name in sorted(references(template["spec"]))
        if (key := Key("", kind, one.namespace, name)) in by_key
    ]
    if read:
        annotations = template["metadata"].setdefault("annotations", {})
        annotations[INPUTS] = _inputs(read)
    return one


def references(spec: Any) -> set[tuple[str, str]]:
    """Kind and name of the ConfigMaps and Secrets that a pod reads."""
    found: set[tuple[str, str]] = set()
    if isinstance(spec, list):
        return found.union(*map(references, spec))
    if not isinstance(spec, dict):
        return found
    for key, value in spec.items():
        kind = "ConfigMap" if key.startswith("configMap") else "Secret"
        if key in ("configMap", "secret", "configMapRef", "secretRef", "configMapKeyRef",
                   "secretKeyRef") and isinstance(value, dict):  # fmt: skip
            name = value.get("name") or value.get("secretName")
            found |= {(kind, str(name))} if name else set()
        found |= references(value)
    return found


def _inputs(read: Sequence[Object]) -> str:
    """A hash of contents, in a place where more people read than may read Secrets."""
    data = canonical([[str(one.key), one.body.get("data"), one.body.get("binaryData")]
                      for one in read])  # fmt: skip
    if all(one.kind.name == "ConfigMap" for one in read):
        return hashlib.sha256(data).hexdigest()[:16]
    return _slow_hash(data, str(read[0].key))


@cache
def _slow_hash(data: bytes, salt: str) -> str:
    """One by which a password cannot be guessed, made once for all workloads that read the same."""
    return hashlib.scrypt(data, salt=salt.encode(), n=1 << 14, r=8, p=1, dklen=8).hex()


def _hashed(one: Object) -> Object:
    metadata = one.body["metadata"]
    found = hashlib.sha256(canonical(one.body)).hexdigest()[:32]
    metadata["annotations"] = {**(metadata.get("annotations") or {}), HASH: found}
    return one


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=True).encode()


def masked(body: Mapping[str, Any]) -> Json:
    """An object for people: without the values of a Secret."""
    if body["kind"] != "Secret":
        return dict(body)
    return {
        key: dict.fromkeys(value, MASK) if key in ("data", "stringData") else value
        for key, value in body.items()
    }


def leaked(body: Mapping[str, Any], secrets: Sequence[str]) -> bool:
    """Whether one of the secrets stands in an object that is no Secret."""
    if body["kind"] == "Secret":
        return False
    text = canonical(body)
    return any(json.dumps(secret)[1:-1].encode() in text for secret in secrets if secret)
