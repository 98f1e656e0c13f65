"""The cluster's own registry: what cannot be right."""

from __future__ import annotations

import pytest

from tests.support.configs import assert_problem


@pytest.mark.parametrize(("line", "words", "cure"), [
    ("registry: {node: nobody}", "nobody is not one of the machines", "Name one of machines."),
    ("registry: {enabled: true, path: /}", '"/" is no directory for images alone', "/data/reg"),
    ("registry: {enabled: true, path: /var}", "is no directory for images alone", "/data/reg"),
    ("registry: {enabled: true, host: 'https://x'}", "is not a host name", ""),
    ("registry: {enabled: true, port: 6443}", "port 6443, of the registry or a mirror of it, is "
     "that of the API server", "Choose another one."),
    ("registry: {enabled: true, port: 6442, mirror: [docker.io]}", "port 6443, of the registry",
     "Choose another one."),
    ("registry: {enabled: true, port: 6444}", "port 6443, of the registry", "Choose another one."),
    ("registry: {enabled: true, mirror: [docker.io], pull_port: 5444}",
     "port 5444 is that of the registry or of a mirror of it", "Choose another one."),
    ("registry: {enabled: true, port: 65535, mirror: [docker.io]}", "above 65535", "Lower it."),
    ("registry: {enabled: true, mirror: [x y]}", '"x y" is not the name of a registry',
     "docker.io"),
    ("registry: {enabled: true, mirror: [quay]}", '"quay" is not the name of a registry',
     "docker.io"),
    ("registry: {enabled: true, mirror: ['https://quay.io/']}", "more than its name",
     "Write quay.io."),
    ("registry: {enabled: true, mirror: [quay.io, quay.io]}", "quay.io is given twice", "once"),
])  # fmt: skip
def test_what_cannot_be_right(line: str, words: str, cure: str) -> None:
    assert cure in assert_problem(line, words).cure
