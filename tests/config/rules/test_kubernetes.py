"""What the cluster takes from elsewhere has a hash, or a fingerprint, that says what it must be."""

from __future__ import annotations

import pytest

from tests.support.configs import assert_problem, look, minimal

SHA256 = "0123456789abcdef" * 4
FINGERPRINT = "DE15B14486CD377B9E876E1A234654DA9A296436"


def test_a_manifest_over_http_is_an_error() -> None:
    text = f"kubernetes: {{network_manifest: 'http://h/x', network_manifest_sha256: {SHA256}}}"
    assert_problem(text, "anybody on the way can change http://h/x")


@pytest.mark.parametrize("keys", ["network: calico", "network_manifest: 'https://h/x'"])
def test_a_manifest_that_is_fetched_without_a_hash_is_warned_of(keys: str) -> None:
    assert_problem(f"kubernetes: {{{keys}}}", "nothing says what", level="warning")
    text = f"kubernetes: {{{keys}, network_manifest_sha256: 'sha256:{SHA256}'}}"
    found = look(minimal(text))
    assert not found.problems and found.config
    assert found.config.kubernetes.network_manifest_sha256 == SHA256


@pytest.mark.parametrize("keys", ["network: flannel", "network: calico, network_manifest: my.yaml"])
def test_a_manifest_at_hand_needs_no_hash(keys: str) -> None:
    assert not look(minimal(f"kubernetes: {{{keys}}}")).problems


@pytest.mark.parametrize("value", ["abc", SHA256[1:], SHA256.upper(), f"md5:{SHA256}"])
def test_what_is_no_sha256_is_an_error(value: str) -> None:
    text = f"kubernetes: {{network_manifest_sha256: '{value}'}}"
    assert_problem(text, f'"{value}" is not a sha256')


@pytest.mark.parametrize("value", [
    FINGERPRINT, FINGERPRINT.lower(), f"[{FINGERPRINT}]",
    "DE15 B144 86CD 377B 9E87  6E1A 2346 54DA 9A29 6436",
])  # fmt: skip
def test_fingerprints_are_taken_as_they_are_printed(value: str) -> None:
    found = look(minimal(f"kubernetes: {{apt_key: {value}}}"))
    assert not found.problems and found.config
    assert found.config.kubernetes.apt_key == [FINGERPRINT]


@pytest.mark.parametrize("value", ["9A296436", "$(id)", FINGERPRINT[1:]])
def test_what_is_no_fingerprint_is_an_error(value: str) -> None:
    assert_problem(f"kubernetes: {{apt_key: ['{value}']}}", "is not the fingerprint of a key")


MACHINE = "machines: {{m1: {{role: infrastructure, {}}}}}"


@pytest.mark.parametrize(("text", "words", "cure"), [
    (MACHINE.format("rack: Row 3/Rack 7"), '"Row 3/Rack 7" as the value', "Write Row-3-Rack-7."),
    (MACHINE.format("vc: 平台"), '"平台" as the value of a label', "It takes letters, digits"),
    (MACHINE.format("sku: -a-"), '"-a-" as the value of a label', "Write a."),
    (MACHINE.format("labels: {zone: a b}"), '"a b" as the value of a label', "Write a-b."),
    (MACHINE.format("labels: {my zone: a}"), '"my zone" as the name of a label', "Write my-zone."),
    (MACHINE.format("shelf: 1/2") + "\nkubemarks: [shelf]", '"1/2" as the value', "Write 1-2."),
    (MACHINE.format("vendor: A & B"), '"A & B" as the name of a label', "Write A-B."),
    ("kubelabels: {web portal: all}", '"web portal" as the name', "Write web-portal."),
])  # fmt: skip
def test_labels_that_kubernetes_refuses_are_named(text: str, words: str, cure: str) -> None:
    text = text if "machines" in text else minimal(text)
    text = text if "cluster_name" in text else f"cluster_name: t\nnetwork: {{domain: x.y}}\n{text}"
    found = [one for one in look(text).problems if words in one.message]
    assert found and found[0].level == "error" and cure in found[0].cure


def test_labels_that_kubernetes_takes_are_taken() -> None:
    own = "rack: r1, vc: '', labels: {example.org/zone: a_b.c, empty: ''}"
    text = f"cluster_name: t\nnetwork: {{domain: x.y}}\n{MACHINE.format(own)}\n"
    assert not [one for one in look(text).problems if "of a label" in one.message]
