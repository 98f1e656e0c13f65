from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.bash import bash


def test_apt_waits_for_its_lock(root: Path) -> None:
    text = """
sleep() { :; }
apt-get() {
    echo x >>"$DLWS_ROOT/tries"
    if [ "$(wc -l <"$DLWS_ROOT/tries")" -lt 3 ]; then
        echo 'E: Could not get lock /var/lib/dpkg/lock-frontend' >&2; return 100
    fi
}
apt_get install x
"""
    assert bash(text, root).returncode == 0
    assert (root / "tries").read_text() == "x\n" * 3
    failing = "apt-get() { echo 'E: Unable to locate package x'; return 100; }; apt_get install x"
    done = bash(failing, root)
    assert (done.returncode, done.stderr) == (100, "E: Unable to locate package x\n")


def test_only_missing_packages_are_installed(root: Path) -> None:
    text = """
package_installed() { [[ " bash containerd.io " == *" $1 "* ]]; }
package_available() { [ "$1" != docker.io ]; }
install_from_bundle() { return 1; }
apt_update_once() { :; }
apt_get() { say "apt $*"; }
install_packages bash 'containerd|containerd.io'
finish
install_packages bash 'docker.io|docker-ce' socat
"""
    assert bash(text, root).stdout.splitlines() == [
        "nothing to do",
        "apt install --no-install-recommends docker-ce socat",
        "changed: installed docker-ce socat",
    ]


DPKG = """#!/bin/bash
echo "${@:4}" >>"$DLWS_ROOT/asked"
for name in "${@:4}"; do
    case $name in
        bash | socat | containerd.io) status=installed ;;
        gone) status=config-files ;;
        *) missing=1 && continue ;;
    esac
    line=${3//'${db:Status-Status}'/$status}
    printf "${line//'${Package}'/$name}"
done
exit "${missing:-0}"
"""


@pytest.mark.parametrize(
    ("names", "asked", "missing"),
    [
        (["bash", "socat"], ["bash socat"], ""),
        (["bash", "containerd|containerd.io"], ["bash containerd containerd.io", "containerd"], ""),
        (["gone", "bash"], ["gone bash", "gone"], "gone"),
        (["bash", "nope|gone"], ["bash nope gone", "nope", "gone"], "nope"),
    ],
)
def test_dpkg_is_asked_of_all_packages_at_once(
    root: Path, tmp_path: Path, names: list[str], asked: list[str], missing: str
) -> None:
    """What it does not say that it is installed is asked for by itself, as a person would."""
    program = tmp_path / "dpkg-query"
    program.write_text(DPKG)
    program.chmod(0o755)
    text = """
pick() { echo "${1%%|*}"; }
install_from_bundle() { echo "missing $*"; }
install_packages "$@"
"""
    env: dict[str, Any] = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = bash(text, root, *names, **env)
    says = f"missing {missing}\nchanged: installed {missing}\n" if missing else ""
    assert (done.stdout, done.stderr) == (says, "")
    assert (root / "asked").read_text().splitlines() == asked


def test_what_was_removed_is_not_remembered_as_there(root: Path, tmp_path: Path) -> None:
    program = tmp_path / "dpkg-query"
    program.write_text(DPKG)
    program.chmod(0o755)
    text = """
apt_get() { rm -f "$(command -v dpkg-query)"; }
install_packages bash
package_installed bash && echo there
uninstall_packages bash
PATH=/nowhere package_installed bash || echo gone
"""
    env: dict[str, Any] = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert bash(text, root, **env).stdout == "there\ngone\n"


@pytest.mark.skipif(not shutil.which("apt-get"), reason="needs a Debian or Ubuntu machine")
def test_the_bundle_is_an_apt_source(root: Path, tmp_path: Path) -> None:
    debs = tmp_path / "bundle/packages/bookworm"
    debs.mkdir(parents=True)
    for name, needs in (("dlws-test-a", "dlws-test-b"), ("dlws-test-b", "bash")):
        control = tmp_path / name / "DEBIAN/control"
        control.parent.mkdir(parents=True)
        control.write_text(
            f"Package: {name}\nVersion: 1:1.0\nArchitecture: all\nMaintainer: a <a@example.com>\n"
            f"Depends: {needs}\nDescription: a test\n"
        )
        words = ["dpkg-deb", "-b", str(tmp_path / name), str(debs / f"{name}_1.0_all.deb")]
        subprocess.run(words, check=True, capture_output=True)
    text = """
apt-get() {
    if [[ " $* " == *" update "* ]]; then command apt-get "$@"; else command apt-get -s "$@"; fi
}
if install_from_bundle "$@"; then echo installed; else echo fell back; fi
"""
    facts: dict[str, Any] = {"DLWS_BUNDLE": str(tmp_path / "bundle"), "TMPDIR": str(tmp_path)}
    done = bash(text, root, "dlws-test-a", **facts)
    assert (done.stdout, done.stderr) == ("installed\n", "")
    assert bash(text, root, "dlws-test-a", "not-there", **facts).stdout == "fell back\n"
    assert bash(text, root, "dlws-test-a").stdout == "fell back\n"
    kept = "packages/bookworm/dlws-test-a_1.0_all.deb"
    (tmp_path / "bundle/SHA256SUMS").write_text(f"{'0' * 64}  {kept}\n")
    index = bash('cat "$(bundle_source)/pool/Packages"', root, **facts).stdout
    sums = [line for line in index.splitlines() if line.startswith("SHA256: ")]
    own = hashlib.sha256((debs / "dlws-test-b_1.0_all.deb").read_bytes()).hexdigest()
    assert sums == [f"SHA256: {'0' * 64}", f"SHA256: {own}"]

    (debs / "Packages").write_text(index)  # as a bundle brings it
    nobody = "dpkg-deb() { echo asked >&2; }"
    done = bash(f"{nobody}\n{text}", root, "dlws-test-a", **facts)
    assert (done.stdout, done.stderr) == ("installed\n", "")
    pool = bash('readlink "$(bundle_source)/pool"', root, **facts).stdout
    assert pool == f"{debs}\n"
