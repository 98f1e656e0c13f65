"""What templates of services can ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.services import seen
from dlws.services.folder import load_all
from dlws.services.values import Templates
from tests.support.fakes import CONFIG, Make
from tests.support.sites import MAP, Site


@pytest.mark.parametrize(
    ("network", "number", "expected"),
    [
        ("10.96.0.0/12", 1, "10.96.0.1"), ("10.96.0.0/12", 10, "10.96.0.10"),
        ("172.30.0.0/24", 33, "172.30.0.33"), ("fd00::/112", 20, "fd00::14"),
    ],
)  # fmt: skip
def test_services_have_places_in_their_network(
    make: Make, network: str, number: int, expected: str
) -> None:
    given = CONFIG.replace("network: bridge}", f'network: bridge, service_cidr: "{network}"}}')
    assert seen.service_ip(make(given).cluster.config, number) == expected


def test_a_network_that_is_too_small_is_said(make: Make) -> None:
    given = CONFIG.replace("network: bridge}", "network: bridge, service_cidr: 10.96.0.0/28}")
    with pytest.raises(UsageError, match=r"10.96.0.0/28 has no address number 20"):
        seen.service_ip(make(given).cluster.config, 20)


def test_carriers_are_machines_of_the_cluster(make: Make) -> None:
    cluster = make(CONFIG + "  store: {role: nfs, private-ip: 10.1.0.9}\n").cluster
    nodes = list(cluster.config.machines.values())
    assert [one.name for one in seen.carriers(cluster.config, nodes, "mysql")] == ["infra01"]
    assert seen.carriers(cluster.config, nodes, "storagemanager") == []
    assert seen.carriers(cluster.config, nodes, "nosuch") == []


def made(site: Site, template: str, text: str = CONFIG) -> str:
    site.write("shop", a__yaml__j2=f"{MAP}  c: {{{{ {template} | yaml }}}}\n")
    cluster = site.make(text).cluster
    (one,) = Templates(cluster).objects(load_all(site.directory)["shop"])
    return str(one.body["data"]["c"])


def test_the_api_version_follows_the_release(site: Site) -> None:
    assert made(site, 'api("CronJob")') == "batch/v1beta1"
    assert made(site, 'api("CronJob")', CONFIG.replace("1.20.2", "1.30.0")) == "batch/v1"


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ('api("Nosuch")', "the table of API versions has no Nosuch"),
        ('need(config.mysql_password, "mysql_password")', "a.yaml.j2: mysql_password is not set"),
        ('kept("dashboard/jwt.key", "webui")', r"there is no .*deploy/dashboard/jwt.key"),
        ('image("we b")', "atlas_we b:.* cannot be the name of an image"),
    ],
)
def test_what_is_lacking_is_said_with_its_cure(site: Site, template: str, error: str) -> None:
    with pytest.raises(UsageError, match=error) as caught:
        made(site, template)
    assert caught.value.cure
    with pytest.raises(UsageError) as caught:
        made(site, 'need("", "the id", command="build")')
    assert caught.value.cure == f"run: {PROGRAM} build"


def test_a_kind_that_is_gone_is_said(site: Site) -> None:
    assert made(site, 'api("PodSecurityPolicy")') == "policy/v1beta1"
    with pytest.raises(UsageError, match=r"Kubernetes 1.30.0 has no PodSecurityPolicy any more"):
        made(site, 'api("PodSecurityPolicy")', CONFIG.replace("1.20.2", "1.30.0"))


def test_what_is_kept_in_deploy_is_a_secret(site: Site) -> None:
    path = site.directory / "deploy/dashboard/jwt.key"
    path.parent.mkdir(parents=True)
    path.write_text("kept for long")
    with pytest.raises(UsageError, match="would hold a secret that all may read"):
        made(site, 'kept("dashboard/jwt.key")')
    assert made(site, 'kept("dashboard/nosuch")') == ""


def test_shares_are_found_where_nodes_have_them(make: Make, tmp_path: Path) -> None:
    text = "mountpoints:\n  one: {server: infra01, filesharename: /a, curphysicalmountpoint: /m}\n"
    assert seen.shares(make(CONFIG + text).cluster.config) == ["/dltsdata", "/dlwsdata", "/m"]


@pytest.mark.parametrize(
    ("share", "root", "expected"),
    [
        ("type: glusterfs, server: infra01, filesharename: v", "none", "/mntdlws/s"),
        ("type: local, filesharename: /srv, curphysicalmountpoint: /srv/s", "none", "/srv/s"),
        ("type: nfs, server: x, filesharename: /e", "none", ""),
        ("type: nfs, server: x, filesharename: /e", "infrastructure", "/mntdlws/s"),
        ("type: sshfs, server: x, filesharename: /e", "none", ""),
        ("type: glusterfs, server: infra01, filesharename: v, vc: a", "none", ""),
    ],
)  # fmt: skip
def test_jobs_have_the_default_share_where_its_files_can_be_given_to_people(
    make: Make, share: str, root: str, expected: str
) -> None:
    text = f'{CONFIG}mountpoints: {{s: {{{share}, mountpoints: ""}}}}\nnfs_root_access: {root}\n'
    assert seen.job_share(make(text).cluster.config) == expected
    assert seen.job_share(make(CONFIG).cluster.config) == ""
