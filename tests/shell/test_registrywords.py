"""What the words of ctr, docker and skopeo mean."""

from __future__ import annotations

import pytest

from dlws.shell.registrywords import explained

CTR = 'ctr: failed to resolve reference "h:1/x:1": '


@pytest.mark.parametrize(("said", "words"), [
    (f"{CTR}failed to do request: Head \"https://h:1/v2/\": x509: certificate signed by unknown "
     "authority", "not trusted"),
    (f"{CTR}pulling from host h:1 failed with status code [manifests 1]: 401 Unauthorized",
     "refuses the user or the password"),
    (f"{CTR}h:1/x:1: not found", "no such image"),
    ("reading manifest 9 in h:1/x: manifest unknown: manifest unknown", "no such image"),
    (f"{CTR}dial tcp 10.0.0.1:5443: connect: connection refused", "does not answer"),
    (f"{CTR}dial tcp 10.0.0.1:5443: i/o timeout", "does not answer"),
    (f"{CTR}dial tcp: lookup images.example on 10.0.0.53:53: no such host", "is not known"),
    ("ctr: failed to copy: write /var/lib/containerd/x: no space left on device", "disk is full"),
    ("received unexpected HTTP status: 500 Internal Server Error", "its disk may be full"),
    ("Error response from daemon: Get \"https://h:1/v2/\": unauthorized: authentication required",
     "refuses the user or the password"),
])  # fmt: skip
def test_words_that_are_known(said: str, words: str) -> None:
    reason = explained(said)
    assert words in reason.words and reason.cure


def test_others_speak_for_themselves() -> None:
    assert explained("something odd").words == ""
