"""What a role wants of a node: role.yaml and files, filled in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.core.errors import UsageError
from dlws.roles.carry import Carriers
from dlws.roles.values import with_vars
from dlws.roles.wanted import Directory, Due, Wanted, packages, removal, wanted
from dlws.shell.files import File
from tests.support.fakes import CONFIG, World
from tests.support.toyrole import MakeRole

Read = Callable[[], Carriers]


def of(carriers: Carriers, name: str = "gpu01") -> Wanted:
    node = next(node for node in carriers.cluster.nodes if node.name == name)
    return wanted(carriers.role("toy"), carriers.values(node))


def test_texts_are_templates(make_role: MakeRole, carriers: Read) -> None:
    make_role(
        "vars: {name: '{{ machine.rack }}-{{ config.cluster_name }}', both: '{{ nodes }}'}\n"
        "packages: {ubuntu: ['a|b', '{{ name }}'], openEuler: [c]}\n"
        "units: ['{{ name }}', x.timer, '{% if machine.type == \"npu\" %}npu{% endif %}']\n"
        "links: {usr/bin/x: '/opt/{{ name }}/x'}\nlistens: [80, 53/udp, '{{ 80 + 1 }}']\n"
    )
    found = of(carriers())
    assert found.packages == {"debian": ("a|b", "r1-atlas"), "redhat": ("c",)}
    assert found.units == ("r1-atlas.service", "x.timer")
    assert found.links == {"/usr/bin/x": "/opt/r1-atlas/x"}
    assert found.listens == ((80, "tcp"), (53, "udp"), (81, "tcp"))


def test_an_item_may_amount_to_several(make_role: MakeRole, carriers: Read) -> None:
    make_role(
        "directories:\n- |\n  {% for node in nodes %}\n  /a b/{{ node.name }} 0750 x:1\n"
        "  {% endfor %}\n- /c 1777 root:root\n"
    )
    names = ("infra01", "gpu01", "npu01")
    assert of(carriers()).directories == (
        *(Directory(f"/a b/{name}", 0o750, "x:1") for name in names),
        Directory("/c", 0o1777, "root:root"),
    )


def test_a_var_that_is_one_expression_keeps_its_kind(make_role: MakeRole, carriers: Read) -> None:
    make_role(
        "vars: {all: '{{ nodes }}', n: '{{ all | length }}', deep: {x: ['{{ n + 1 }}']}}\n",
        {"x.j2": "{{ deep.x[0] + 1 }} {{ all[1].address }}"},
    )
    assert of(carriers()).files[0].content == b"5 10.1.0.11"


def test_modes_by_convention_and_by_role_yaml(make_role: MakeRole, carriers: Read) -> None:
    made = make_role(
        "files: {etc/a*: 0640 root:adm, etc/owned: 'x:y'}\n",
        {"etc/a1": "a", "etc/owned": "", "run": "", "s.j2": "{{ secret(config.mysql_password) }}"},
    )
    (made / "run").chmod(0o700)
    assert of(carriers()).files == (
        File("/etc/a1", b"a", 0o640, "root:adm"),
        File("/etc/owned", b"", 0o644, "x:y"),
        File("/run", b"", 0o755),
        File("/s", b"hunter'2 $x", 0o600),
    )


def test_what_is_due_once_when_files_change(make_role: MakeRole, carriers: Read) -> None:
    make_role(
        "units: [x, y.service]\nbefore_start: {etc/*: make db}\n"
        "after: {etc/a: [restart x, 'x; y'], etc/b: restart x.service, etc/systemd/*: reload y}\n",
        {
            "etc/a": "",
            "etc/b": "",
            "etc/systemd/system/x.service": "",
            "etc/systemd/system/y.service.d/z.conf": "",
            "lib/systemd/system/z.service": "",
        },
    )
    units = {"/etc/systemd/system/x.service", "/etc/systemd/system/y.service.d/z.conf"}
    found = of(carriers()).due
    assert list(found) == [
        *(Due("daemon-reload", "systemd"), Due("run", "make db"), Due("restart", "x.service")),
        *(Due("then", "x; y"), Due("reload", "y.service")),
    ]
    assert found[Due("daemon-reload", "systemd")] == units | {"/lib/systemd/system/z.service"}
    assert found[Due("run", "make db")] == units | {"/etc/a", "/etc/b"}
    # Its own unit file is a reason to restart a unit.
    assert found[Due("restart", "x.service")] == {"/etc/a", "/etc/b", *units} - {
        "/etc/systemd/system/y.service.d/z.conf"
    }
    assert found[Due("reload", "y.service")] == units


@pytest.mark.parametrize(("yaml", "files", "words"), [
    ("units: ['{{ nope }}']", {}, "role.yaml:1:9: error: units.0: 'nope' is undefined"),
    ("vars: {x: '{{ config.nope }}'}", {}, "role.yaml:1:11: error: vars.x: "),
    ("directories: [/x 0755]", {}, "role.yaml:1:15: error: directories.0: '/x 0755' is not"),
    ("directories: [x 0755 a:b]", {}, "is not a directory, its mode and owner"),
    ("listens: ['http']", {}, "role.yaml:1:11: error: listens.0: 'http' is not a port"),
    ("files: {x: 9999}", {"x": ""}, "role.yaml:1:12: error: files.x: '9999' is neither a mode"),
    ("validate: {x: check}", {"x": ""}, "role.yaml:1:15: error: validate.x: {} is not in it"),
    ("", {"etc/x.j2": "a\n{{ machine.nope }}\n"}, "/toy/etc/x.j2:2: "),
    ("", {"etc/x.j2": "a\n{{ machine."}, "/toy/etc/x.j2:2: "),
    ("", {"x.j2": "{{ config.mysql_password }}"}, "secret("),
    ("", {"x\ty": ""}, "the name of the file '/x\\ty' has characters"),
    ("files: {x: 0644}", {"x.j2": "{{ secret(config.mysql_password) }}"},
     "a secret is in /x, and mode 644 lets everybody read it"),
])  # fmt: skip
def test_what_cannot_be_filled_in_has_its_place(
    make_role: MakeRole, carriers: Read, yaml: str, files: dict[str, str], words: str
) -> None:
    make_role(yaml, files)
    with pytest.raises(UsageError) as caught:
        of(carriers())
    assert words in caught.value.message, caught.value.message
    assert "hunter" not in f"{caught.value.message}{caught.value.cure}"


def test_what_is_to_be_removed(make_role: MakeRole, carriers: Read) -> None:
    make_role(
        "packages: {debian: ['{{ machine.name }}']}\n"
        "remove: {before: ['echo {{ machine.name }}'], packages: true}\n"
    )
    found = carriers()
    role, values = found.role("toy"), found.values(found.cluster.nodes[0])
    assert removal(role, values).before == ["echo infra01"]
    assert packages(role, with_vars(role, values)) == {"debian": ("infra01",)}


EACH = "each: {etc/x.d/one: {of: nodes, name: '{{ item.name }} of {{ vars }}.conf'}}\n"


def test_a_file_for_each_item_of_a_list(make_role: MakeRole, carriers: Read) -> None:
    """It is checked, has modes and calls for commands as a file of the folder does."""
    make_role(
        EACH + "vars: {vars: us}\nfiles: {etc/x.d/*: '0640 root:adm'}\n"
        "validate: {etc/x.d/one: 'check {}'}\nafter: {etc/x.d/one: reload x}\n",
        {"etc/x.d/one.j2": "{{ item.address }} for {{ machine.name }}", "etc/y": ""},
    )
    found = of(carriers())
    paths = [f"/etc/x.d/{name} of us.conf" for name in ("infra01", "gpu01", "npu01")]
    assert [file.path for file in found.files] == [*paths, "/etc/y"]
    assert found.files[1] == File(paths[1], b"10.1.0.11 for gpu01", 0o640, "root:adm")
    assert found.checks == dict.fromkeys(paths, "check {}")
    assert found.due == {Due("reload", "x.service"): frozenset(paths)}
    assert found.record == (*(f"file {path}" for path in paths), "file /etc/y")


def test_a_unit_for_each_item_is_read_and_restarted_as_its_own(
    make_role: MakeRole, carriers: Read
) -> None:
    make_role(
        "units: [infra01.mount]\n"
        "each: {etc/systemd/system/u: {of: nodes, name: '{{ item.name }}.mount'}}\n",
        {"etc/systemd/system/u.j2": ""},
    )
    place = "/etc/systemd/system/"
    found = of(carriers()).due
    assert len(found[Due("daemon-reload", "systemd")]) == 3
    assert found[Due("restart", "infra01.mount")] == {f"{place}infra01.mount"}


def test_an_item_may_have_a_directory_of_its_own(make_role: MakeRole, carriers: Read) -> None:
    make_role(
        "each: {etc/x.d/one: {of: nodes, name: '{{ item.name }}:1/x'}}\n", {"etc/x.d/one": ""}
    )
    assert [file.path for file in of(carriers()).files] == [
        f"/etc/x.d/{name}:1/x" for name in ("infra01", "gpu01", "npu01")
    ]


def test_what_deploy_keeps_is_read_and_a_secret_of_it_is_one(
    tmp_path: Path, make_role: MakeRole, carriers: Read
) -> None:
    (tmp_path / "deploy/x").mkdir(parents=True)
    (tmp_path / "deploy/x/key").write_text("k\n")
    make_role("", {"etc/a.j2": "{{ kept('x/key') }}", "etc/b.j2": "{{ secret(kept('x/key')) }}"})
    assert [(f.content, f.mode) for f in of(carriers()).files] == [(b"k\n", 0o644), (b"k\n", 0o600)]


@pytest.mark.parametrize(("yaml", "words"), [
    ("{of: nodes, name: a//b}", "'a//b' is not the name of a file"),
    ("{of: nodes, name: a/../b}", "'a/../b' is not the name of a file"),
    ("{of: nodes, name: same}", "two files would be /etc/x.d/same"),
    ("{of: nodes, name: '../{{ item.name }}'}", "'../infra01' is not the name of a file"),
    ("{of: nodes, name: ''}", "'' is not the name of a file"),
    ("{of: nope, name: x}", "'nope' is undefined"),
    ("{of: nodes, name: '{{ item.nope }}'}", "nope"),
])  # fmt: skip
def test_items_that_make_no_files(
    make_role: MakeRole, carriers: Read, yaml: str, words: str
) -> None:
    make_role(f"each: {{etc/x.d/one: {yaml}}}\n", {"etc/x.d/one.j2": ""})
    with pytest.raises(UsageError) as caught:
        of(carriers())
    assert words in caught.value.message and "role.yaml:1" in caught.value.message


def test_links_and_folders_by_lines(make_role: MakeRole, carriers: Read) -> None:
    make_role(
        "link_lines:\n- |\n  {% for n in nodes %}\n  /l/{{ n.name }} -> /t -> {{ n.name }}\n"
        "  {% endfor %}\nfolders: ['/a b/c 0777']\n"
    )
    found = of(carriers())
    assert found.links["/l/gpu01"] == "/t -> gpu01" and len(found.links) == 3
    assert found.folders == (("/a b/c", 0o777),)


@pytest.mark.parametrize(("yaml", "words"), [
    ("link_lines: [/a]", "'/a' is not a link"), ("link_lines: [a -> b]", "is not a link"),
    ("folders: [/a]", "is not a directory and its mode"), ("folders: [a 0755]", "is not a"),
])  # fmt: skip
def test_lines_that_are_none(make_role: MakeRole, carriers: Read, yaml: str, words: str) -> None:
    make_role(yaml)
    with pytest.raises(UsageError) as caught:
        of(carriers())
    assert words in caught.value.message and "role.yaml:1" in caught.value.message


SERVES = "nfs_disk_mnt: {infra01: {path: /data}}\nnfs_client_CIDR: {node_range: 10.1.0.0/16}\n"
ROOTS = "10.1.0.1(rw,sync,no_subtree_check,no_root_squash) "
OTHERS = "10.1.0.0/16(rw,sync,no_subtree_check,root_squash)"


@pytest.mark.parametrize(("more", "line", "version", "does"), [
    ("", f'"/data" {OTHERS}', "vers3=n", "mask"),
    ("nfs_root_access: infrastructure", f'"/data" {ROOTS}{OTHERS}', "vers3=n", "mask"),
    ("mountconfig: {nfs: {options: vers=3}}", f'"/data" {OTHERS}', "vers3=y", "unmask"),
    # exports(5): in quotes, and what would end or change it by its octal number.
    (r"""mountpoints: {s: {server: infra01, filesharename: '/a "b" \c #d'}}""",
     rf'"/a \042b\042 \134c #d" {OTHERS}', "vers3=n", "mask"),
])  # fmt: skip
def test_an_nfs_server_trusts_no_root_and_needs_no_rpcbind(
    make: Callable[..., World], more: str, line: str, version: str, does: str
) -> None:
    carriers = Carriers(make(f"{CONFIG}{SERVES}{more}\n").cluster)
    found = wanted(carriers.role("nfs-server"), carriers.values(carriers.cluster.nodes[0]))
    texts = {file.path: bytes(file.content).decode() for file in found.files}
    assert texts["/etc/exports.d/dlws.exports"].count(line) == 1
    assert version in texts["/etc/nfs.conf.d/dlws.conf"]
    assert [due for due in found.due if due.kind == "run" and f" {does} " in due.what]
