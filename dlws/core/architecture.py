"""Names of processor architectures."""

from __future__ import annotations

_NAMES = {"x86_64": "amd64", "x64": "amd64", "aarch64": "arm64", "arm64v8": "arm64"}


def architecture(word: str) -> str:
    """The name that packages, images and config.yaml use: amd64 for `uname -m`'s x86_64."""
    return _NAMES.get(word, word)
