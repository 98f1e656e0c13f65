"""Files on a node: STATE and PLACE run by this machine's own sh."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError, UsageError
from dlws.shell import files
from dlws.shell.files import File, difference
from dlws.shell.quoting import script, sh
from tests.support.commands import STATES
from tests.support.recorded import waits

OTHER = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")
SHELLS = [shell for shell in ("dash", "bash") if which(shell)]
NAMES = ["a b", " lead", "trail ", "-n", "'", '"', "$(x)", "`x`", "\\", "ü €", "*", "%s", "a\tb"]


def state(wanted: list[File]) -> list[File]:
    """Those that are not in place, whether their paths are words or on standard input."""
    command, paths = files.question(wanted)
    filler = File("/" + "no/" * 1500 + "such", b"")
    longer, on_input = files.question([*wanted, filler])
    assert paths == b"" and on_input.endswith(b"such\n")
    found = Local().run(command, paths).text
    assert Local().run(longer, on_input).text.splitlines() == [*found.splitlines(), "- - -"]
    return [file for file, _ in files.differing(wanted, files.states(found, len(wanted)))]


def place(wanted: list[File], prefix: str = "") -> Result:
    return Local().run(prefix + files.PLACE, files.stream(wanted))


def leftovers(where: Path) -> list[str]:
    return [path.name for path in where.rglob("*.dlws-new")]


@pytest.mark.parametrize(("paths", "words", "stdin"), [
    ([], [], b""),
    (["/etc/hosts"], ["/etc/hosts"], b""),
    (["/a b", "/$(x)", "/'"], ["/a b", "/$(x)", "/'"], b""),
    (["/" + "x" * 4095], ["/" + "x" * 4095], b""),  # as long as it may be
    (["/" + "x" * 4096], [], b"/" + b"x" * 4096 + b"\n"),
    (["/" + "x" * 4000, "/a b", "/ü" * 50], [],
     b"/" + b"x" * 4000 + b"\n/a b\n" + "/ü".encode() * 50 + b"\n"),
    (["/caf\udce9", "/" + "y" * 4096], [], b"/caf\xe9\n/" + b"y" * 4096 + b"\n"),
])  # fmt: skip
def test_question(paths: list[str], words: list[str], stdin: bytes) -> None:
    assert files.question(File(path, b"") for path in paths) == (script(STATES, *words), stdin)


@pytest.mark.parametrize("name", NAMES)
def test_awkward_names_arrive_once(tmp_path: Path, name: str) -> None:
    wanted = [File(f"{tmp_path}/{name}/{name}", b"x\x00\xff", 0o640)]
    assert state(wanted) == wanted
    assert place(wanted).ok
    assert (tmp_path / name / name).read_bytes() == b"x\x00\xff"
    assert state(wanted) == []


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    some.lists(
        some.tuples(some.binary(max_size=2000), some.sampled_from([0o600, 0o644, 0o755, 0o4750])),
        max_size=5,
    )
)
def test_what_was_placed_is_not_sent_again(
    tmp_path: Path, contents: list[tuple[bytes, int]]
) -> None:
    wanted = [File(f"{tmp_path}/{n}", data, mode) for n, (data, mode) in enumerate(contents)]
    assert place(wanted).ok
    assert state(wanted) == []
    for file, (data, mode) in zip(wanted, contents, strict=True):
        assert Path(file.path).read_bytes() == data
        assert Path(file.path).stat().st_mode & 0o7777 == mode


def test_only_what_differs_is_sent(tmp_path: Path) -> None:
    wanted = [File(f"{tmp_path}/{name}", b"x", 0o644) for name in "abcd"]
    assert place(wanted).ok
    (tmp_path / "a").write_bytes(b"y")
    (tmp_path / "b").chmod(0o600)
    os.chown(tmp_path / "c", 1, 1)
    assert state(wanted) == wanted[:3]


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3_000_001))
    assert place([File(f"{tmp_path}/copy", source, 0o600)]).ok
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("openssl", ["there", "none", "broken", "silent"])
def test_openssl_hashes_large_files_where_it_can(tmp_path: Path, openssl: str) -> None:
    """And sha256sum all others."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "cat", "stat", "sha256sum", "openssl"):
        (programs / name).symlink_to(str(which(name)))
    (programs / "sha256sum").unlink()
    (programs / "sha256sum").write_text(
        f'#!/bin/sh\necho x >>"{tmp_path}/log"; {which("sha256sum")}\n'
    )
    if openssl != "there":
        (programs / "openssl").unlink()
    if openssl in ("broken", "silent"):
        text = {"broken": "read line; echo 0; exit 1", "silent": "exit 3"}[openssl]
        (programs / "openssl").write_text(f"#!/bin/sh\n{text}\n")
    for program in ("sha256sum", "openssl"):
        if (programs / program).exists():
            (programs / program).chmod(0o755)
    large, small = os.urandom(16 << 20), os.urandom((16 << 20) - 1)
    wanted = [File(f"{tmp_path}/{name}", text) for name, text in (("l", large), ("s", small))]
    assert place(wanted).ok
    command, _ = files.question(wanted)
    said = Local().run(f"PATH={sh(programs)}; export PATH; {command}").text.splitlines()
    assert said == [file.state for file in wanted]
    assert (tmp_path / "log").read_text() == "x\n" * (1 if openssl == "there" else 2)


@AS_ROOT
def test_owners_and_modes_whatever_the_directory_to_unpack_in(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    os.chown(work, 0, OTHER)
    work.chmod(0o2700)
    modes = (0o400, 0o644, 0o2755, 0o4755)
    owners = ("root:root", "daemon:root", "root:daemon", f"{OTHER}:{OTHER}")
    wanted = [File(f"{tmp_path}/{m:o}-{o}", b"x", m, o) for m in modes for o in owners]
    assert place(wanted, f"TMPDIR={sh(work)}; export TMPDIR; ").ok
    for file in wanted:
        made = os.stat(file.path)
        user, group = (int(name) if name.isdigit() else {"root": 0, "daemon": 1}[name]
                       for name in file.owner.split(":"))  # fmt: skip
        assert (made.st_uid, made.st_gid, made.st_mode & 0o7777) == (user, group, file.mode)


def test_the_size_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"four")
    assert File("/x", tmp_path / "source").size == File("/x", b"four").size == 4


def test_the_beginning_of_each_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a b").write_bytes(b"\x00\xff\n")
    (tmp_path / "large").write_bytes(100_000 * b"x")
    names = os.fsencode("".join(f"{tmp_path}/{name}\n" for name in ("a b", "none", "large")))
    done = Local().run(files.CONTENT, names)
    assert done.err == b""
    answer = done.out.decode()
    assert files.contents(answer, 3) == [b"\x00\xff\n", b"", 65537 * b"x"]


def test_what_is_no_file_is_told_apart_and_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    paths = [File(f"{tmp_path}/{name}", b"") for name in ("pipe", "directory", "none")]
    assert Local().run(*files.question(paths)).text.splitlines() == [
        "- - -",
        files.DIRECTORY,
        "- - -",
    ]


def test_an_owner_that_is_not_known_there_places_nothing(tmp_path: Path) -> None:
    done = place([File(f"{tmp_path}/file", b"x", owner="nobody-such")])
    assert not done.ok and "nobody-such" in done.complaint
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_to_work_in_nothing_else_is_tried(tmp_path: Path) -> None:
    done = place([File(f"{tmp_path}/file", b"x")], "export TMPDIR=/nowhere; ")
    assert not done.ok and len(done.err.splitlines()) == 1 and b"/nowhere" in done.err
    assert list(tmp_path.iterdir()) == []


def test_what_others_left_goes_away_by_their_process(tmp_path: Path) -> None:
    """Its id may be another's by now: that one did not begin when it did."""
    began = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    mine, other = f"dlws.{os.getpid()}.{began}.x", "dlws.of.someone.else"
    gone = [
        f"dlws.{os.getpid()}.1.x",
        *(f"dlws.{digit}0000000.{began}.x" for digit in range(1, 10)),
    ]
    for name in (mine, other, *gone):
        (tmp_path / name).mkdir()
    assert place([], f"export TMPDIR={tmp_path}; ").ok
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine, other])


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")
def test_what_others_made_under_such_a_name_is_left_alone(tmp_path: Path) -> None:
    """In /var/tmp everybody can: a huge tree there would delay every command."""
    for number in range(120):
        (tmp_path / f"dlws.{number}.1.x").mkdir()
        os.chown(tmp_path / f"dlws.{number}.1.x", 65534, 65534)
    (tmp_path / "dlws.200.1.x").symlink_to(tmp_path)
    assert place([], f"export TMPDIR={tmp_path}; ").ok
    assert len(list(tmp_path.iterdir())) == 121
    for path in tmp_path.iterdir():
        os.chown(path, 0, 0, follow_symlinks=False)
    assert place([], f"export TMPDIR={tmp_path}; ").ok
    assert len(list(tmp_path.iterdir())) == 21  # a hundred at a time


def test_one_at_a_time_places_files(tmp_path: Path) -> None:
    lock = Path("/run/dlws-files.lock")
    assert place([]).ok
    assert lock.stat().st_mode & 0o777 == 0o600, "whoever can open it can hold it"
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        words = ["sh", "-c", files.PLACE]
        with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
            assert process.stdin
            process.stdin.write(b"".join(files.stream([File(f"{tmp_path}/file", b"x")])))
            process.stdin.close()
            while process.poll() is None and not waits(lock):
                pass
            assert not (tmp_path / "file").exists()
            fcntl.flock(held, fcntl.LOCK_UN)
    assert (tmp_path / "file").exists()


def test_directories_that_are_made_may_be_read_by_all(tmp_path: Path) -> None:
    assert place([File(f"{tmp_path}/new/deep/file", b"x", 0o600)]).ok
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("new", "new/deep")]
    assert modes == [0o755, 0o755]


def test_an_answer_that_is_cut_off_is_not_taken_for_a_state(tmp_path: Path) -> None:
    wanted = [File("/a", b""), File("/b", b"")]
    with pytest.raises(DeployError, match="2 files, got 1 answers"):
        files.states("- - -\n", len(wanted))


@pytest.mark.parametrize("line", ["", "- -", "x 644 root:root", f"{64 * 'a'} 9 root:root", "- - x"])
def test_what_is_no_state(line: str) -> None:
    with pytest.raises(DeployError, match="asked for the state of files, got '"):
        files.states(f"- - -\n{line}x\n" if line else "- - -\nx\n", 2)
    with pytest.raises(DeployError, match="is no state of a file"):
        files.difference(File("/a", b""), line, b"")


def test_an_owner_may_have_spaces() -> None:
    state = f"{64 * 'a'} 640 HOME\\bob:HOME\\domain users"
    assert files.states(f"{state}\n", 1) == [state]
    assert files.difference(File("/a", b""), state, b"")[0] == (
        "mode and owner: 640 HOME\\bob:HOME\\domain users -> 644 root:root"
    )


@pytest.mark.parametrize(
    ("answer", "says"),
    [("QQ==\n", "2 files, got 1"), ("QQ\nQQ==\n", "no base64"), ("!\n\n", "no base64")],
)
def test_what_is_no_content(answer: str, says: str) -> None:
    with pytest.raises(DeployError, match=says):
        files.contents(answer, 2)


def test_files_of_many_lines_are_not_compared() -> None:
    old, file = b"a\n" * 3000 + b"b\n" * 3000, File("/a", b"x\n")
    assert files.difference(file, f"{64 * 'a'} 644 root:root", old) == (
        "content not shown: 1 lines",
    )


def test_owner_and_mode_are_right_before_the_name_shows(tmp_path: Path) -> None:
    """mv is replaced by one that notes what it is given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    seen = tmp_path / "seen"
    (programs / "mv").write_text(f'#!/bin/sh\nstat -c "%a %U" "$2" >>{seen}\nexec /bin/mv "$@"\n')
    (programs / "mv").chmod(0o755)
    wanted = [File(f"{tmp_path}/secret", b"x", 0o400, "daemon")]
    assert place(wanted, f"PATH={programs}:$PATH; ").ok
    assert seen.read_text().splitlines() == ["400 daemon"] * 2
    assert state(wanted) == []


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with target.open("rb") as held:
        assert place([File(str(target), b"new")]).ok
        assert held.read() == b"old"
    assert target.read_bytes() == b"new"


def test_a_directory_in_the_way_is_named_and_stays(tmp_path: Path) -> None:
    (tmp_path / "there/inside").mkdir(parents=True)
    done = place([File(f"{tmp_path}/there", b"x")])
    assert not done.ok and f"{tmp_path}/there is a directory" in done.err.decode()
    assert (tmp_path / "there/inside").is_dir() and not leftovers(tmp_path)


def test_a_file_in_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = place([File(f"{tmp_path}/file/below", b"x")])
    assert not done.ok and "file" in done.complaint
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("held", ["x", "."])
def test_what_is_immutable_is_named_with_chattr(tmp_path: Path, held: str) -> None:
    """The programs say what they say of such a file, or directory, as this one may have no such."""
    flags = f'[ "${{2##*/}}" != {held} ] || echo "----i---- $2"'
    for name, body in (("mv", "echo mv: not permitted >&2; exit 1"), ("lsattr", flags)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "there").mkdir()
    (tmp_path / "there/x").write_text("old")
    wanted = [File(str(tmp_path / "there/x"), b"new", owner=f"{os.getuid()}:{os.getgid()}")]
    result = place(wanted, f"PATH={sh(tmp_path)}:$PATH; export PATH; ")
    path = tmp_path / "there" / held
    assert result.code == 1 and f"{path} is immutable; first: chattr -ia {path}" in result.complaint
    assert (tmp_path / "there/x").read_text() == "old" and not leftovers(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_a_file_that_is_mounted_from_elsewhere_is_named(tmp_path: Path) -> None:
    """As /etc/hosts is in a container: it can be written, and nothing can take its place."""
    (tmp_path / "x").write_text("old")
    bind = f"mount --bind {sh(tmp_path / 'x')} {sh(tmp_path / 'x')}; "
    command = sh("unshare", "-m", "sh", "-c", f"{bind}{files.PLACE}")
    done = Local().run(command, files.stream([File(str(tmp_path / "x"), b"new")]))
    assert done.code == 1 and f"{tmp_path}/x is mounted from elsewhere" in done.complaint
    assert (tmp_path / "x").read_text() == "old" and not leftovers(tmp_path)


def test_a_link_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    wanted = [File(f"{tmp_path}/link", b"new")]
    assert place(wanted).ok
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "mine"
    assert state(wanted) == []


def link(at: Path, to: str | Path, owner: int = 0) -> Path:
    at.symlink_to(to)
    os.chown(at, owner, -1, follow_symlinks=False)
    return at


@AS_ROOT
@pytest.mark.parametrize("way", ["others", "in theirs", "open", "group", "behind", "loop", "deep"])
def test_a_link_that_others_made_or_can_change_is_not_followed(tmp_path: Path, way: str) -> None:
    """alice's ~/drop, a link to /etc/cron.d, was where root's files went."""
    home, etc = tmp_path / "home", tmp_path / "etc"
    home.mkdir()
    etc.mkdir()
    drop = link(home / "drop", etc, OTHER if way in ("others", "behind") else 0)
    if way in ("others", "in theirs", "behind"):
        os.chown(home, OTHER, OTHER)
    if way == "open":
        home.chmod(0o777)
    if way == "group":
        os.chown(home, 0, OTHER)
        home.chmod(0o775)
    if way == "behind":  # root's own link leads through theirs
        drop = link(tmp_path / "way", "home/drop")
    if way == "loop":
        drop = link(tmp_path / "loop", "loop")
    if way == "deep":
        os.chown(home, OTHER, OTHER)
        os.chown(drop, OTHER, -1, follow_symlinks=False)
        (etc / "sub").mkdir()
        drop = drop / "sub"
    wanted = [File(f"{drop}/job", b"x")]
    done = place(wanted)
    assert not done.ok and "is a link to" in done.complaint and f"{drop}/job" in done.complaint
    assert not list(etc.rglob("job"))
    with pytest.raises(DeployError, match="a part of its path is a link"):
        state(wanted)
    (etc / "job").write_text("content")
    answer = Local().run(files.CONTENT, f"{drop}/job\n".encode()).text
    assert files.contents(f"{answer}\n", 1) == [b""]


@AS_ROOT
@pytest.mark.parametrize("shell", SHELLS)
def test_links_of_root_are_a_part_of_the_system(tmp_path: Path, shell: str) -> None:
    """/var/run, /lib, and what is in a directory like /tmp, where nobody can change them."""
    real, sticky = tmp_path / "usr/lib/real", tmp_path / "tmp"
    real.mkdir(parents=True)
    sticky.mkdir()
    sticky.chmod(0o1777)
    link(tmp_path / "lib", "usr/lib")
    link(tmp_path / "usr/back", "../lib/.//real/../real")
    link(sticky / "run", tmp_path / "usr/back")
    wanted = [File(f"{sticky}/run/new dir/-n", b"x"), File(f"{tmp_path}/lib/real/../b", b"y")]
    words = [shell, "-c", f"exec {files.PLACE}".replace("exec sh ", f"exec {shell} ", 1)]
    data = b"".join(files.stream(wanted))
    subprocess.run(words, input=data, check=True, cwd="/")
    assert (real / "new dir/-n").read_bytes() == b"x"
    assert (tmp_path / "usr/lib/b").read_bytes() == b"y"
    assert state(wanted) == []


@AS_ROOT
def test_in_a_directory_of_others_files_are_placed_and_made(tmp_path: Path) -> None:
    os.chown(tmp_path, OTHER, OTHER)
    wanted = [File(f"{tmp_path}/new/file", b"x", owner="daemon"), File(f"{tmp_path}/other", b"y")]
    assert place(wanted).ok and state(wanted) == []


def test_a_link_in_place_of_a_file_is_that_and_nothing_of_its_target(tmp_path: Path) -> None:
    """Of a link mode 777 was seen, so that what it led to, such as /etc/shadow, was shown."""
    (tmp_path / "shadow").write_text("c4nary")
    (tmp_path / "shadow").chmod(0o600)
    (tmp_path / "public").write_text("public")
    (tmp_path / "directory").mkdir()
    for name in ("shadow", "public", "none", "directory"):
        (tmp_path / f"to {name}").symlink_to(tmp_path / name)
    names = ["to shadow", "to public", "to none", "to directory", "shadow", "public"]
    wanted = [File(f"{tmp_path}/{name}", b"new") for name in names]
    states = Local().run(*files.question(wanted)).text.splitlines()
    assert states[:4] == ["- - link"] * 3 + [files.DIRECTORY]
    assert [line.split()[1] for line in states[4:]] == ["600", "644"]
    asked = os.fsencode("".join(f"{file.path}\n" for file in wanted))
    answer = Local().run(files.CONTENT, asked).out.decode()
    assert files.contents(answer, len(wanted)) == [b"", b"", b"", b"", b"", b"public"]
    assert difference(wanted[0], states[0], b"")[0] == "a link is there now"


def test_nothing_is_placed_when_the_transfer_breaks_off(tmp_path: Path) -> None:
    whole = b"".join(files.stream([File(f"{tmp_path}/a", b"x" * 5000)]))
    assert not Local().run(files.PLACE, whole[:3000]).ok
    assert not (tmp_path / "a").exists()
    work = f"TMPDIR={tmp_path}; export TMPDIR; "
    assert not Local().run(work + files.PLACE, whole[:3000]).ok
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "x", disk], check=False
    ).returncode:
        pytest.skip("no mounts here")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.sandbox
@pytest.mark.parametrize("work_there", [True, False], ids=["unpacking", "moving"])
def test_a_full_disk_leaves_the_old_file_and_no_rest(small_disk: Path, work_there: bool) -> None:
    (small_disk / "file").write_text("old")
    prefix = f"TMPDIR={small_disk}; export TMPDIR; " if work_there else ""
    done = place([File(f"{small_disk}/file", b"x" * 400_000)], prefix)
    words = "disk full?" if work_there else "No space left"
    assert not done.ok and words in done.complaint
    assert (small_disk / "file").read_text() == "old"
    assert [path.name for path in small_disk.iterdir()] == ["file"]


@pytest.mark.parametrize("path", ["relative", "", "/a\nb", "/a/"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="not the absolute path"):
        File(path, b"")


def test_of_an_archive_that_is_cut_off_nothing_is_placed(tmp_path: Path) -> None:
    wanted = [File(f"{tmp_path}/placed/{name}", b"x" * 600) for name in ("a", "b")]
    whole = b"".join(files.stream(wanted))
    for size in (1, 600, 1536, 1600, 2100, 3072, 3100, 3600):
        assert not Local().run(files.PLACE, whole[:size]).ok
        assert not (tmp_path / "placed").exists()
    assert Local().run(files.PLACE, whole).ok
    assert state(wanted) == []


STATE = f"{64 * 'a'} 644 root:root"


@pytest.mark.parametrize(("file", "state", "old", "said"), [
    (File("/x", b"b\n"), STATE, b"a\n",
     ("--- there now", "+++ /x", "@@ -1 +1 @@", "-a", "+b")),
    (File("/x", b"b\n"), "- - -", b"", ("--- not there", "+++ /x", "@@ -0,0 +1 @@", "+b")),
    (File("/x", b"b", 0o755), STATE, b"b", ("mode and owner: 644 root:root -> 755 root:root",)),
    (File("/x", b"b", 0o600), "- - -", b"", ("content not shown: mode 600",)),
    (File("/x", b"b"), f"{64 * 'a'} 640 root:root", b"a",
     ("mode and owner: 640 root:root -> 644 root:root", "content not shown: mode 640")),
    (File("/x", b"\xff"), STATE, b"a", ("content not shown: not text",)),
    (File("/x", b"b", 0o711), "- - -", b"", ("content not shown: mode 711",)),
    (File("/x", 65537 * b"b"), STATE, b"a", ("content not shown: 65537 bytes",)),
    (File("/x", b"b"), STATE, 65537 * b"a", ("content not shown: 1 bytes",)),
    (File("/x", 65536 * b"b"), STATE, 65536 * b"a",
     ("--- there now", "+++ /x", "@@ -1 +1 @@", f"-{65536 * 'a'}", f"+{65536 * 'b'}")),
])  # fmt: skip
def test_lines_that_differ(file: File, state: str, old: bytes, said: tuple[str, ...]) -> None:
    assert difference(file, state, old) == said


def cuts(data: bytes) -> list[int]:
    """Where an upload may break off: around every block's edge, and in the middle."""
    edges = range(0, len(data), 512)
    near = {edge + more for edge in edges for more in (-1, 0, 1, 200)}
    return sorted(cut for cut in near if 0 <= cut < len(data))


def test_an_upload_cut_anywhere_leaves_whole_files_and_no_remains(tmp_path: Path) -> None:
    work, place = tmp_path / "work", tmp_path / "place"
    work.mkdir()
    wanted = [File(f"{place}/{n}", bytes([65 + n]) * 1500, 0o640) for n in range(2)]
    data = b"".join(files.stream(wanted))
    ends = len(data) - 2 * 512
    for cut in cuts(data):
        place.mkdir()
        for file in wanted:
            Path(file.path).write_bytes(b"old")
        result = Local().run(f"TMPDIR={sh(work)}; export TMPDIR; {files.PLACE}", data[:cut])
        assert result.ok <= (cut >= ends), cut
        assert not list(work.iterdir()), cut
        found = {path.name: path.read_bytes() for path in place.iterdir()}
        assert set(found) == {"0", "1"}, cut
        for n in range(2):
            assert found[str(n)] in (b"old", bytes([65 + n]) * 1500), cut
        for path in place.iterdir():
            path.unlink()
        place.rmdir()


@pytest.mark.parametrize("line", [files.PLACE, f"{files.RUN} true"])
def test_what_the_killed_left_behind_goes_away(tmp_path: Path, line: str) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    words = ["/bin/sh", "-c", f"exec {line}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=environment) as process:
        for _ in range(200):
            if list(tmp_path.glob("dlws.*")):
                break
            threading.Event().wait(0.05)
        (left,) = tmp_path.glob("dlws.*")
        alive = Local().run(f"TMPDIR={sh(tmp_path)} {line}", b"")
        assert left.exists(), alive.complaint  # its process is at work
        process.send_signal(signal.SIGKILL)
    Local().run(f"TMPDIR={sh(tmp_path)}; export TMPDIR; {line}", b"")
    assert not list(tmp_path.glob("dlws.*"))
