from __future__ import annotations

from pathlib import Path

from dlws.sandbox import cgroups


def test_leader_is_process_one_directly_below_us() -> None:
    assert cgroups.is_leader("Name:\tsystemd\nNSpid:\t4711\t1\n")
    assert not cgroups.is_leader("NSpid:\t4711\n")
    assert not cgroups.is_leader("NSpid:\t4711\t100\n")
    assert not cgroups.is_leader("NSpid:\t4711\t90\t1\n")  # process 1 of a pod
    assert not cgroups.is_leader("Name:\tx\n")


def test_groups_of_a_node_are_found_wherever_its_starter_stood(tmp_path: Path) -> None:
    for path in ("memory/a/b/dlws-abc123-1/x", "cpu/dlws-abc123-1", "cpu/dlws-abc123-11"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "v2.slice/dlws-abc123-1.scope").mkdir(parents=True)
    found = {str(path.relative_to(tmp_path)) for path in cgroups.groups("abc123-1", tmp_path)}
    expected = {"memory/a/b/dlws-abc123-1", "cpu/dlws-abc123-1", "v2.slice/dlws-abc123-1.scope"}
    assert found == expected
    assert cgroups.labels("abc123", tmp_path) == {"abc123-1", "abc123-11"}
    assert cgroups.labels("abc12", tmp_path) == set()
