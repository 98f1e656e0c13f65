"""What a script's first lines say of it, and what of it goes to a node."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from dlws.core import resources
from dlws.core.connection import Local
from dlws.core.errors import UsageError
from dlws.scripts.script import Script, environment, find, parse
from tests.support.fakes import Make


def script(place: Path, text: str, name: str = "job.sh") -> Script:
    (place / name).write_text(text)
    return parse(place / name)


@pytest.mark.parametrize(("line", "needs", "check"), [
    ("# dlws-needs: root", {"root"}, False),
    ("# dlws-needs: root bundle", {"root", "bundle"}, False),
    ("# dlws-needs: root\n# dlws-needs: bundle", {"root", "bundle"}, False),
    ("# dlws-check", set(), True),
    ("# dlws-checks", set(), False),
    ("# dlws-needed: root", set(), False),
    ("#dlws-check", set(), False),
    ("echo '# dlws-check'", set(), False),
    ("\n" * 18 + "# dlws-check", set(), True),
    ("\n" * 20 + "# dlws-check", set(), False),
])  # fmt: skip
def test_parse(tmp_path: Path, line: str, needs: set[str], check: bool) -> None:
    found = script(tmp_path, f"#!/bin/sh\n{line}\n")
    assert (set(found.needs), found.check) == (needs, check)


@pytest.mark.parametrize(("name", "text", "words"), [
    ("job.sh", "true\n", ("bash", "./job.sh", "a b")),
    ("job.sh", "#!/bin/sh\n", ("/bin/sh", "./job.sh", "a b")),
    ("job", "#! /bin/sh -eu\n", ("/bin/sh", "-eu", "./job", "a b")),
    ("job", "#!/usr/bin/env -S perl -w\n", ("/usr/bin/env", "-S perl -w", "./job", "a b")),
    ("job.py", "print()\n", ("python3", "./job.py", "a b")),
    ("job.py", "#!/usr/bin/env python3\n", ("/usr/bin/env", "python3", "./job.py", "a b")),
])  # fmt: skip
def test_words(tmp_path: Path, name: str, text: str, words: tuple[str, ...]) -> None:
    assert script(tmp_path, text, name).words(("a b",)) == words


@pytest.mark.parametrize(("name", "content", "said", "cure"), [
    ("a b.sh", b"#!/bin/bash\r\necho hello\r\n", "line ends of Windows", "sed -i 's/\\r$//' "),
    ("job.sh", b"true\r\n", "line ends of Windows", "sed -i"),
    ("job.sh", b"#!/bin/sh\n" + 40 * b"true\n" + b"rm x\r\n", "the first in line 42", "sed -i"),
    ("job.sh", b"#!/bin/sh\rtrue\r", "line ends of an old Mac", r"sed -i 's/\r/\n/g' "),
    ("job.sh", b"\xef\xbb\xbf#!/bin/sh\n", "byte order mark", r"sed -i '1s/^\xef\xbb\xbf//' "),
    ("job.sh", "#!/bin/sh\n".encode("utf-16"), "UTF-16", "iconv -f UTF-16"),
    ("job", b"print 'hello';\n", "does not say what runs it", "#!/usr/bin/env bash"),
    ("job.pl", b"print 'hello';\n", "does not say what runs it", "#!/usr/bin/env bash"),
    ("job.sh", b"#!\ntrue\n", "does not say what runs it", "#!/usr/bin/env bash"),
    ("job.sh", b"\x7fELF\x02\x01\x01\0\0", "does not say what runs it", "#!/usr/bin/env bash"),
])  # fmt: skip
def test_what_would_fail_or_do_half_of_it_is_named(
    tmp_path: Path, name: str, content: bytes, said: str, cure: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=said) as caught:
        parse(tmp_path / name)
    assert str(tmp_path / "") in str(caught.value) and cure in (caught.value.cure or "")


def test_data_behind_a_script_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_bytes(b"#!/bin/sh\n" + 40 * b"true\n" + b"\0data\r\n")
    assert parse(tmp_path / "job.sh").name == "job.sh"


def test_what_a_script_sources_is_judged_like_it(tmp_path: Path) -> None:
    (tmp_path / "lib.sh").write_bytes(b"a() { :; }\r\n")
    with pytest.raises(UsageError, match=r"lib\.sh has the line ends of Windows"):
        script(tmp_path, "# dlws-files: lib.sh\n")


def test_the_cures_of_line_ends_and_marks_cure(tmp_path: Path) -> None:
    path = tmp_path / "it's.sh"
    for content in (b"#!/bin/sh\r\ntrue\r\n", b"\xef\xbb\xbf#!/bin/sh\ntrue\n"):
        path.write_bytes(content)
        with pytest.raises(UsageError) as caught:
            parse(path)
        assert Local().run(caught.value.cure.removeprefix("run: ")).ok
        assert parse(path).content == b"#!/bin/sh\ntrue\n"


@pytest.mark.parametrize("named", ["missing.sh", "../x", "/etc/passwd", "lib/../../x"])
def test_a_script_names_files_beside_it_alone(tmp_path: Path, named: str) -> None:
    with pytest.raises(UsageError, match="which is not beside it"):
        script(tmp_path, f"# dlws-files: {named}\n")


def test_find_takes_a_path_here_before_a_script_that_comes_with_dlws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("dns.sh").path == resources.scripts() / "dns.sh"
    assert find("./scripts/dns.sh").path == resources.scripts() / "dns.sh"
    (tmp_path / "dns.sh").write_text("true\n")
    assert find("dns.sh", ("a",)).path == Path("dns.sh")
    assert find("dns.sh", ("a",)).args == ("a",)
    with pytest.raises(UsageError, match=r"there is no script nowhere\.sh"):
        find("nowhere.sh")


def test_an_archive_holds_the_script_and_the_files_it_names_with_their_modes(
    tmp_path: Path,
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/tool").write_text("tool")
    (tmp_path / "lib/tool").chmod(0o755)
    (tmp_path / "secret").write_text("not for nodes")
    found = script(tmp_path, "# dlws-files: lib/tool\ntrue\n")
    with tarfile.open(fileobj=io.BytesIO(found.archive)) as tar:
        assert {entry.name: entry.mode for entry in tar} == {"job.sh": 0o700, "lib/tool": 0o755}


def test_what_a_script_is_told(make: Make) -> None:
    cluster = make().cluster
    told = environment(cluster.config, cluster.nodes[2])
    assert told == {
        "DLWS_CLUSTER": "atlas",
        "DLWS_NODE": "worker02",
        "DLWS_FQDN": "worker02.example.org",
        "DLWS_ADDRESS": "10.1.0.12",
        "DLWS_ROLES": "worker",
        "DLWS_ARCH": "arm64",
        "DLWS_TYPE": "npu",
        "DLWS_VENDOR": "huawei",
        "DLWS_ADMIN_USER": "dlwsadmin",
        "DLWS_DOMAIN": "example.org",
        "DLWS_DNS_SERVERS": "",
        "DLWS_NFS_SERVER": "kernel",
        "DLWS_DATA_DISKS": "",
        "DLWS_APT_MIRROR": "",
        "DLWS_APT_KEYS": "",
        "DLWS_KUBERNETES_VERSION": "1.20.2",
        "DLWS_KUBERNETES_SOURCE": "packages",
        "DLWS_RUNTIME": "containerd",
        "DLWS_BUNDLE": "/var/lib/dlws/bundle",
    }


@pytest.mark.parametrize(("name", "command"), [
    ("pass_secret.sh", "registry secret"), ("pre_download_images.sh", "registry pull"),
    ("dns.sh", ""),
])  # fmt: skip
def test_a_script_may_stand_for_a_command_of_ours(name: str, command: str) -> None:
    assert find(f"scripts/{name}").command == command
