"""Names of processor architectures."""

from __future__ import annotations

import pytest

from dlws.core.architecture import architecture


@pytest.mark.parametrize(
    ("word", "name"),
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("amd64", "amd64"), ("riscv64", "riscv64")],
)
def test_a_machine_is_called_as_its_packages_are(word: str, name: str) -> None:
    assert architecture(word) == name
