from __future__ import annotations

import hashlib
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
