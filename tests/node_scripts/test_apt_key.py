"""The key that signs Kubernetes' packages: over https, or one whose fingerprint is known."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.core import resources
from tests.support.bash import bash

pytestmark = pytest.mark.skipif(not shutil.which("gpg"), reason="needs gpg")

GOOD = base64.b64decode(
    "mDMEXgvhABYJKwYBBAHaRw8BAQdATLz44vr8D3xWR2mLBET4ADzeATFexXC264IqwOy3XL+0DmRsd3MgdGVzdCBnb29k"
    "iJAEExYIADgWIQRZwv988XGZRwocl51JpiTJSrZQpAUCXgvhAAIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAKCRBJ"
    "piTJSrZQpEEMAP9JYAcI6ng/xAE8l/3lKa4AhDyai3MAUAsWuIyLDeAMPAEA0hzM2iUPUqXNiv5AEnPVfUs/HH95sSpj"
    "2zndz7AGHQ0="
)
OTHER = base64.b64decode(
    "mDMEXgvhABYJKwYBBAHaRw8BAQdA1EQUzFyFXjejuKpzuDnSPBT3kpWiZ8CW5OHUdbibwpC0D2Rsd3MgdGVzdCBvdGhl"
    "coiQBBMWCAA4FiEE+7jJcohWVmwljERqua4RxvohAV0FAl4L4QACGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ"
    "ua4RxvohAV3sWAD6AgXJKsve7nPeji8fiZC7C70u853XJXK+82oTa5jb6LkBAMNnpcfsnb4Qa/RGHZwk5EcTMHc+oJ0A"
    "oLxLJpTLn4EBuDMEXgvhABYJKwYBBAHaRw8BAQdAYwJRDocLNKF6D50xvKkv+nDEtfdIHvDMFWcmLFcRLdiI7wQYFggA"
    "IBYhBPu4yXKIVlZsJYxEarmuEcb6IQFdBQJeC+EAAhsCAIEJELmuEcb6IQFddiAEGRYIAB0WIQSfjUrdk9z6VtpdapRY"
    "FFEdKJ0+ZwUCXgvhAAAKCRBYFFEdKJ0+Z5zmAQCna2t6OFHezFeq1QrmbqEGPMGQJCyX8ITnx23ScGZ3fgEA7RcpDeLw"
    "cTLk7yLOXjzArE4NUNTM0XT0YN8fBxL7+go92wEA6TokffiUIQUJDxZ9ABfr1cATPI2vRXakaUeVebJ7ZcsA+QHJnth4"
    "QQW5eNOXutvQqscfUDAvUl4ciXK5FgooMyYF"
)
FINGERPRINT = "59C2FF7CF17199470A1C979D49A624C94AB650A4"
OTHERS = "FBB8C9728856566C258C446AB9AE11C6FA21015D"
SUBKEY = 216
"""Where in OTHER its subkey begins."""

COMMUNITY = "http://mirror.test/kubernetes-new/core/stable/v1.30/deb/Release.key"
LEGACY = "http://mirror.test/kubernetes/apt/doc/apt-key.gpg"

Use = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def use(root: Path) -> Use:
    """What use_repository makes of a key that curl gets from an address."""
    whole = (resources.scripts() / "install_kubeadm.sh").read_text()
    functions = whole[whole.index("check_version()") : whole.index("# --- source: bundle")]

    def run(url: str, key: bytes, **facts: str) -> subprocess.CompletedProcess[str]:
        (root / "served").write_bytes(key)
        text = (
            functions + 'VERSION=1.30.4\ncurl() { printf "%s " "$@" >"$DLWS_ROOT/asked"; '
            'while [ "$1" != -o ]; do shift; done; cat "$DLWS_ROOT/served" >"$2"; }\n'
            "apt_get() { :; }\nKEYRING=/keyring.gpg LIST=/kubernetes.list\n{ "
            'known_keys "$1" >/dev/null || { echo unsafe; exit 0; }; }\nuse_repository "$1" "x /"'
        )
        return bash(text, root, url, container=False, **facts)

    return run


def keyring(root: Path) -> bytes:
    path = root / "keyring.gpg"
    return path.read_bytes() if path.exists() else b""


def test_over_https_any_key_will_do_and_nothing_else_is_spoken(use: Use, root: Path) -> None:
    done = use("https://mirror.test/Release.key", GOOD)
    assert done.returncode == 0 and keyring(root) == GOOD
    assert "--proto =https --proto-redir =https " in (root / "asked").read_text()


@pytest.mark.parametrize("key", [GOOD, b"random", b"", OTHER])
def test_over_http_upstreams_own_key_alone_will_do(use: Use, root: Path, key: bytes) -> None:
    done = use(COMMUNITY, key)
    assert done.returncode == 1 and "DE15B14486CD377B9E876E1A234654DA9A296436" in done.stderr
    assert "kubernetes.apt_key" in done.stderr and not keyring(root)
    assert not (root / "kubernetes.list").exists()


def test_over_http_a_key_of_unknown_fingerprint_is_not_even_fetched(use: Use, root: Path) -> None:
    assert use(LEGACY, GOOD).stdout == "unsafe\n"
    assert not (root / "asked").exists()


@pytest.mark.parametrize("url", [COMMUNITY, LEGACY, "https://mirror.test/Release.key"])
def test_a_pinned_key_is_taken_from_anywhere_and_no_other(use: Use, root: Path, url: str) -> None:
    wrong = use(url, OTHER, DLWS_APT_KEYS=FINGERPRINT)
    assert wrong.returncode == 1 and OTHERS in wrong.stderr and not keyring(root)
    both = use(url, GOOD + OTHER, DLWS_APT_KEYS=FINGERPRINT)
    assert both.returncode == 1 and not keyring(root)
    assert use(url, GOOD, DLWS_APT_KEYS=f"{OTHERS} {FINGERPRINT}").returncode == 0
    assert keyring(root) == GOOD


def test_a_foreign_subkey_on_the_pinned_key_is_left_out(use: Use, root: Path) -> None:
    mixed = GOOD + OTHER[SUBKEY:]
    assert use(COMMUNITY, mixed, DLWS_APT_KEYS=FINGERPRINT).returncode == 0
    assert keyring(root) == GOOD
