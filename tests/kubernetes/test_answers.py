from __future__ import annotations

import pytest

from dlws.kubernetes.answers import has_expired
from dlws.kubernetes.status import Row, with_kubernetes


@pytest.mark.parametrize(("says", "expired"), [
    ("x509: certificate has expired or is not yet valid: current time 2027", True),
    ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired", True),
    ("remote error: tls: expired certificate", True),
    ("x509: certificate signed by unknown authority", False), ("connection refused", False),
])  # fmt: skip
def test_an_expired_certificate_is_known_by_what_is_said(says: str, expired: bool) -> None:
    assert has_expired(says) is expired


def test_status_says_how_certificates_are_renewed() -> None:
    says = "the API server at https://x answers, and its certificate has expired"
    row = with_kubernetes(Row("i1", ("infrastructure",), "a"), None, says)
    assert "certs renew all" in row.problems[0]
    row = with_kubernetes(Row("i1", ("infrastructure",), "a"), None, "it is silent")
    assert row.problems == ("it is silent",)
