"""Folders of services: overlays, names, needs."""

from __future__ import annotations

import pytest

from dlws.core import resources
from dlws.core.errors import UsageError
from dlws.services import folder
from tests.support.sites import MAP, Site


def names(site: Site, *words: str) -> list[str]:
    services = folder.load_all(site.directory)
    return [one.name for one in folder.named(services, words)]


def test_a_service_is_found_by_its_name_and_by_its_older_ones(site: Site) -> None:
    site.write("jobmanager2", service__yaml="aliases: [jobmanager]")
    site.write("web", a__yaml=MAP)
    assert names(site, "jobmanager") == names(site, "jobmanager2", "jobmanager") == ["jobmanager2"]
    assert names(site) == ["jobmanager2", "web"]


def test_an_unknown_name_is_an_error_with_the_one_that_is_near(site: Site) -> None:
    site.write("mysql", a__yaml=MAP)
    with pytest.raises(UsageError, match="no service mysqll") as caught:
        names(site, "mysqll")
    assert "did you mean mysql?" in caught.value.cure


def test_two_services_of_one_name_are_an_error(site: Site) -> None:
    site.write("a", service__yaml="aliases: [b]")
    site.write("b", a__yaml=MAP)
    with pytest.raises(UsageError, match="b is a name of both b and a"):
        names(site)


def test_a_key_that_nothing_knows_is_an_error_with_its_line(site: Site) -> None:
    site.write("a", service__yaml="needs: []\nneed: [b]\n")
    with pytest.raises(UsageError, match=r"service.yaml:2:1.*nothing knows this key") as caught:
        names(site)
    assert "Did you mean needs?" in caught.value.message


def test_a_need_that_there_is_not_and_a_circle_are_errors(site: Site) -> None:
    site.write("a", service__yaml="needs: [nosuch]")
    with pytest.raises(UsageError, match="a needs nosuch, which there is not"):
        names(site)
    site.write("a", service__yaml="needs: [b]")
    site.write("b", service__yaml="needs: [a]")
    services = folder.load_all(site.directory)
    with pytest.raises(UsageError, match="a -> b -> a"):
        folder.levels(services.values(), services)


def test_levels_put_what_is_needed_before_what_needs_it(site: Site) -> None:
    site.write("top", service__yaml="needs: [left, right]")
    site.write("left", service__yaml="needs: [base]")
    site.write("right", a__yaml=MAP)
    site.write("base", a__yaml=MAP)
    services = folder.load_all(site.directory)
    groups = folder.levels([services["top"]], services)
    assert [[one.name for one in group] for group in groups] == [
        ["base", "right"],
        ["left"],
        ["top"],
    ]


def test_the_directorys_own_files_lie_over_ours_one_by_one(site: Site) -> None:
    ours = resources.templates() / "services/web"
    ours.mkdir(parents=True)
    (ours / "a.yaml.j2").write_text("ours")
    (ours / "b.yaml").write_text("ours")
    site.write("web", a__yaml="theirs", c__yaml="theirs")
    found = folder.load_all(site.directory)["web"]
    assert found.manifests == ["a.yaml", "b.yaml", "c.yaml"]
    assert [found.files[name].read_text() for name in found.manifests] == [
        "theirs",
        "ours",
        "theirs",
    ]


def test_two_files_for_one_manifest_are_an_error(site: Site) -> None:
    site.write("web", a__yaml=MAP, a__yaml__j2=MAP)
    with pytest.raises(UsageError, match=r"two files are for a.yaml"):
        folder.load_all(site.directory)
