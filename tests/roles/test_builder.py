"""The script of a role: values are quoted, contents travel beside it and only where they differ."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dlws.core.connection import Local
from dlws.registry import kept
from dlws.registry.start import configured
from dlws.roles import builder, folder
from dlws.roles.builder import key
from dlws.roles.carry import Carriers
from dlws.roles.model import Remove, User
from dlws.roles.wanted import Directory, Due, Wanted
from dlws.roles.wanted import wanted as wishes
from dlws.shell.files import File
from tests.support import ROOT
from tests.support.fakes import World

EXAMPLE = ROOT / "config.yaml.example"
AWKWARD = """it's "$x"; `y` é"""
FILE = File(f"/etc/{AWKWARD}", b"secret words", 0o640, "root:adm")


def lines(wanted: Wanted) -> list[str]:
    text = builder.members(wanted)[f"role-{wanted.role}/{wanted.role}.sh"][0].decode()
    head, _, rest = text.partition("\n. ./lib/roleunits.sh\n")
    assert head == "set -euo pipefail\n. ./lib/common.sh\n. ./lib/packages.sh\n. ./lib/roles.sh"
    return rest.splitlines()


def test_a_role_that_wants_nothing() -> None:
    assert lines(Wanted("x")) == [
        *("begin_role x", "role_place", "role_prune", "role_modules", "role_units"),
        *("end_role", "finish"),
    ]


def test_each_thing_has_its_line_in_the_order_of_an_installation() -> None:
    restart, make = Due("restart", "a.service"), Due("run", "make db\nmore")
    wanted = Wanted(
        "x",
        {"debian": ("a|b", "c")},
        (("g", 7),),
        (User(name="u", groups=["g", "h"]),),
        (Directory("/d e", 0o1777, "u:g"),),
        (FILE,),
        {FILE.path: "check {} && true {}"},
        {"/l": "/m n"},
        ("nfsd",),
        ("a.service",),
        {restart: frozenset([FILE.path]), make: frozenset()},
        ((80, "tcp"),),
        ("true",),
    )
    path = """'/etc/it'"'"'s "$x"; `y` é'"""
    quoted = path.replace("'/etc", "'file /etc", 1)
    assert lines(wanted) == [
        f"begin_role x {quoted} 'link /l' 'unit a.service'",
        "role_family debian",
        "role_packages debian 'a|b' c",
        "role_group g 7",
        "role_user u '' '' g,h /nonexistent /usr/sbin/nologin",
        "role_directory '/d e' 1777 u:g",
        f"role_file role-x/files/0 {path} 640 root:adm {FILE.sha256} role-x/commands/0.sh "
        f"{key(restart)}",
        "role_place",
        "role_link /l '/m n'",
        "role_prune",
        "role_modules nfsd",
        f"role_due {key(make)} run 'make db' role-x/commands/1.sh",
        "role_units a.service",
        f"role_due {key(restart)} restart a.service ''",
        "role_listens 80 tcp",
        "role_true role-x/commands/2.sh true",
        *("end_role", "finish"),
    ]
    commands = {n: text for n, (text, _) in builder.members(wanted).items() if "/commands/" in n}
    assert commands == {
        "role-x/commands/0.sh": b'check "$1" && true "$1"\n',
        "role-x/commands/1.sh": b"make db\nmore\n",
        "role-x/commands/2.sh": b"true\n",
    }


def test_only_what_differs_is_sent_and_nothing_on_the_command_line() -> None:
    wanted = Wanted("x", files=(FILE, File("/other", b"others")))
    asked, changing = builder.members(wanted), builder.members(wanted, [FILE.path])
    assert {*changing} - {*asked} == {"role-x/files/0"}
    assert changing["role-x/files/0"][0] == b"secret words"
    assert b"secret words" not in builder.archive(asked)
    assert builder.command("x") == "bash ./role-x/x.sh"
    assert builder.question("x") == "env DLWS_CHECK=1 bash ./role-x/x.sh"


def test_removal_goes_by_the_record() -> None:
    made = builder.removal("x", Remove(before=["a"], after=["b"], packages=True), {"debian": ["p"]})
    assert made["role-x/x.sh"][0].decode().splitlines()[5:] == [
        "begin_role x",
        "remove_run role-x/commands/0.sh a",
        "remove_kinds unit link file",
        "remove_run role-x/commands/1.sh b",
        "remove_packages debian p",
        *("end_removal", "finish"),
    ]
    kept = builder.removal("x", Remove(), {"debian": ["p"]})["role-x/x.sh"][0]
    assert b"remove_packages" not in kept


@pytest.mark.parametrize("name", folder.names(ROOT))
def test_each_role_of_ours_makes_a_script_for_a_node_that_carries_it(
    make: Callable[..., World], name: str
) -> None:
    text = EXAMPLE.read_text()
    if name == "glusterfs-server":  # the share of the example is served over NFS
        text = text.replace(
            "type: nfs\n    server: storage01\n", "type: glusterfs\n    server: storage01 gpu01\n"
        )
        text = text.replace("filesharename: /mnt/local", "filesharename: volume1")
    if name == "nfs-ganesha":
        text += "\nnfs_server: ganesha\n"
    cluster = make(f"{text}\nregistry: {{enabled: true}}\n").cluster
    kept.ensure(cluster, configured(cluster))
    carriers = Carriers(cluster)
    nodes = carriers.nodes(name)
    assert nodes, f"no machine of config.yaml.example carries {name}"
    for node in nodes:
        wanted = wishes(carriers.role(name), carriers.values(node))
        script = builder.members(wanted)[f"role-{name}/{name}.sh"][0]
        assert Local().run("bash -n", script).ok
