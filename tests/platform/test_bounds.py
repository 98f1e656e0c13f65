"""What a request may be before anybody reads it."""

from __future__ import annotations

import pytest

from jobplatform.model.bounds import excess


@pytest.mark.parametrize(("headers", "status"), [
    ({}, None), ({"content-length": "10"}, None), ({"content-length": "11"}, 413),
    ({"content-length": "-1"}, 411), ({"content-length": "x"}, 411),
    ({"content-length": "1", "transfer-encoding": "chunked"}, 411),
])  # fmt: skip
def test_what_is_too_large_or_says_no_length(headers: dict[str, str], status: int | None) -> None:
    refused = excess(headers, 10)
    assert (refused and refused[0]) == status
