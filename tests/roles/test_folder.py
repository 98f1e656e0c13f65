"""Folders of roles: ours and the cluster's own, and what is wrong in a role.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config.reading.strict import WrongFile
from dlws.core import resources
from dlws.core.errors import UsageError
from dlws.roles import folder
from tests.support.toyrole import MakeRole


def test_a_role_is_its_files_by_their_path_on_the_node(make_role: MakeRole, tmp_path: Path) -> None:
    made = make_role("description: x\n", {"etc/a b.conf.j2": "", "usr/bin/x": "", "etc/.x.swp": ""})
    role = folder.load(tmp_path, "toy")
    assert role.files == {
        "/etc/a b.conf": made / "etc/a b.conf.j2",
        "/usr/bin/x": made / "usr/bin/x",
    }
    assert role.says.description == "x"


def test_the_clusters_own_folder_lies_over_ours(make_role: MakeRole, tmp_path: Path) -> None:
    """File by file, also where one of the two is a template."""
    ours = resources.templates() / "nodes/nfs-server"
    place = "etc/exports.d/dlws.exports"
    own = make_role("description: theirs\n", {place: "/x *\n", "etc/y": ""}, "nfs-server")
    role = folder.load(tmp_path, "nfs-server")
    assert role.says.description == "theirs"
    conf = "etc/nfs.conf.d/dlws.conf"
    ours_left = {f"/{conf}": ours / f"{conf}.j2"}
    assert role.files == {f"/{place}": own / place, "/etc/y": own / "etc/y", **ours_left}
    (own / "role.yaml").unlink()
    assert folder.load(tmp_path, "nfs-server").yaml == ours / "role.yaml"
    assert {"nfs-server"} <= {*folder.names(tmp_path)}


def test_two_files_for_one_place(make_role: MakeRole, tmp_path: Path) -> None:
    make_role("", {"etc/x": "", "etc/x.j2": ""})
    with pytest.raises(UsageError, match="two files are for /etc/x"):
        folder.load(tmp_path, "toy")


def test_a_role_that_there_is_not(make_role: MakeRole, tmp_path: Path) -> None:
    make_role()
    with pytest.raises(UsageError, match="there is no role nfs-sever") as caught:
        folder.load(tmp_path, "nfs-sever")
    assert caught.value.cure.startswith("did you mean nfs-server? see: ")


@pytest.mark.parametrize(("yaml", "line", "cure"), [
    ("packges: {}", "role.yaml:1:1: error: packges: nothing knows this key",
     "Did you mean packages? Its keys are: description, "),
    ("units: {a: b}", "role.yaml:1:8: error: units: must be a list, not a map", "Write `- value`"),
    ("remove: {bevore: [x]}", "role.yaml:1:10: error: remove.bevore: nothing knows this key",
     "Did you mean before? Its keys are: before, after, packages."),
    ("users: [{name: x, uid: a}]", "role.yaml:1:24: error: users.0.uid: must be a whole number",
     "Write digits"),
    ("packages: [x]", "role.yaml:1:11: error: packages: packages differ by family of systems",
     "Write {debian: "),
    ("packages: {arch: [x]}", "role.yaml:1:18: error: packages.arch: ", "debian, redhat"),
    ("architectures: [x86]", 'role.yaml:1:17: error: architectures.0: "x86" is not one of its',
     "amd64, arm64"),
    ("\nafter: {etc/y.conf: restart y}", "role.yaml:2:9: error: after.etc/y.conf: no file of the",
     "Did you mean etc/x.conf?"),
    ("on: [wroker]", "role.yaml:1:6: error: on.0: wroker is not a role of machines",
     "Did you mean worker?"),
    ("a: [", "role.yaml:2:1: error: not valid YAML", ""),
])  # fmt: skip
def test_what_is_wrong_in_a_role_yaml_has_its_place_and_cure(
    make_role: MakeRole, tmp_path: Path, yaml: str, line: str, cure: str
) -> None:
    made = make_role(f"{yaml}\n", {"etc/x.conf": ""})
    with pytest.raises(WrongFile) as caught:
        folder.load(tmp_path, "toy")
    assert str(made / "role.yaml") in caught.value.message
    assert line in caught.value.message and cure in caught.value.message, caught.value.message


@pytest.mark.parametrize(("pattern", "path", "wanted"), [
    ("etc/x", "/etc/x", True), ("/etc/x", "/etc/x", True), ("etc/*", "/etc/a/b", True),
    ("etc/x", "/srv/etc/x", False),
])  # fmt: skip
def test_patterns(pattern: str, path: str, wanted: bool) -> None:
    assert folder.fits(pattern, path) is wanted
