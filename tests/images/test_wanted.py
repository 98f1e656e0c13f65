"""What images would be built from, and the names that they would have."""

from __future__ import annotations

from dlws.images import wanted
from tests.support.fakes import CONFIG, Make, World

ONE = CONFIG.replace(", archtype: arm64", "")


def written(world: World, name: str, text: str) -> None:
    path = world.cluster.directory / "templates/images" / name / "Dockerfile.j2"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_reference_has_the_hash_of_what_is_built_and_of_what_that_builds_on(make: Make) -> None:
    world = make(ONE)
    written(world, "toy", "FROM scratch\n")
    written(world, "top", 'FROM {{ image("toy") }}\n')
    assert wanted.archtype(world.cluster) is None
    before = wanted.keys(world.cluster, ["top"])
    assert [list(rows) for rows in before.values()] == [[next(iter(before["top"]))]]
    assert wanted.keys(world.cluster, ["top"]) == before
    written(world, "toy", "FROM scratch\nENV A=b\n")
    after = wanted.keys(world.cluster, ["top"])
    assert after["top"].keys() == before["top"].keys() and after != before


def test_of_several_architectures_each_has_its_own_and_their_list_none(make: Make) -> None:
    world = make()
    written(world, "toy", "FROM scratch\n")
    assert wanted.archtype(world.cluster) == "all"
    (rows,) = wanted.keys(world.cluster, ["toy"]).values()
    assert [bool(key) for key in rows.values()] == [True, True, False]
    assert [name.rpartition("-")[2] for name in list(rows)[:2]] == ["amd64", "arm64"]
