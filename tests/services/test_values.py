"""What templates of services see, and errors that name file and line."""

from __future__ import annotations

import base64
import json

import pytest

from dlws.config.model.images import Dockers
from dlws.core.errors import UsageError
from dlws.services.folder import load_all
from dlws.services.manifests import Object
from dlws.services.seen import image
from dlws.services.values import Templates
from tests.support.fakes import CONFIG
from tests.support.sites import MAP, WEB, Site

AWKWARD = "p'a\"s$s {w}: %s \\ ü #1"
PASSWORD = f"{CONFIG}mysql_password: {json.dumps(AWKWARD)}\n"


def made(site: Site, name: str = "shop", config: str = CONFIG) -> list[Object]:
    cluster = site.make(config).cluster
    return Templates(cluster).objects(load_all(site.directory)[name])


def test_a_name_that_nobody_gave_is_an_error_with_file_and_line(site: Site) -> None:
    site.write("shop", a__yaml__j2=f"{MAP}  c: {{{{ nosuch }}}}\n")
    with pytest.raises(UsageError, match=r"shop/a.yaml.j2:6: 'nosuch' is undefined"):
        made(site)


def test_what_is_no_yaml_is_an_error_with_file_and_line(site: Site) -> None:
    site.write("shop", a__yaml="a: b\nc: [\n")
    with pytest.raises(UsageError, match=r"shop/a.yaml:\d: this is not YAML"):
        made(site)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("kind: ConfigMap\nmetadata: {name: x}", "apiVersion"),
        ("apiVersion: v1\nmetadata: {name: x}", "kind"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x}", "metadata.name"),
        ("just words", "apiVersion"),
    ],
)
def test_an_object_that_lacks_its_name_is_an_error(site: Site, text: str, lacks: str) -> None:
    site.write("shop", a__yaml=text)
    with pytest.raises(UsageError, match=f"shop/a.yaml:1: this object has no {lacks}"):
        made(site)


def test_the_same_object_twice_is_an_error(site: Site) -> None:
    site.write("shop", a__yaml=MAP, b__yaml=MAP)
    with pytest.raises(UsageError, match=r"shop/b.yaml:1: ConfigMap default/settings stands in"):
        made(site)


def test_a_secret_arrives_as_it_is_and_only_in_a_secret(site: Site) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: pw}\nstringData:\n"
    line = "  pw: {{ secret(config.mysql_password) | yaml }}\n"
    site.write("shop", a__yaml__j2=secret + line)
    (one,) = made(site, config=PASSWORD)
    assert base64.b64decode(one.body["data"]["pw"]).decode() == AWKWARD
    assert "stringData" not in one.body
    site.write("shop", a__yaml__j2=MAP + line)
    with pytest.raises(UsageError, match="would hold a secret that all may read"):
        made(site, config=PASSWORD)


def test_a_secret_that_would_be_stars_is_an_error(site: Site) -> None:
    line = "  pw: '{{ config.mysql_password }}'\n"
    site.write("shop", a__yaml__j2=MAP + line)
    with pytest.raises(UsageError, match=r"a.yaml.j2:6: .*this is a secret: write secret"):
        made(site, config=PASSWORD)


def test_objects_come_in_an_order_in_which_each_has_what_it_needs(site: Site) -> None:
    rest = """
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRoleBinding
    metadata: {name: b, namespace: wrong}
    ---
    apiVersion: v1
    kind: Namespace
    metadata: {name: n}
    ---
    kind: List
    items: [{apiVersion: v1, kind: Service, metadata: {name: s}}]
    """
    site.write("shop", a__yaml=WEB, b__yaml=rest, c__yaml=MAP, service__yaml="namespace: n")
    assert [str(one.key) for one in made(site)] == [
        "Namespace n",
        "ConfigMap n/settings",
        "ClusterRoleBinding b",
        "Deployment n/web",
        "Service n/s",
    ]


def test_ports_say_their_protocol_and_empty_values_are_left_out(site: Site) -> None:
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {x: null, ports: [{port: 1}]}"
    )
    web = WEB.replace('image: "example/web:1"', "ports: [{containerPort: 1}]")
    site.write("shop", a__yaml=web, b__yaml=service)
    workload, found = made(site)
    assert found.body["spec"] == {"ports": [{"port": 1, "protocol": "TCP"}]}
    (container,) = workload.body["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"containerPort": 1, "protocol": "TCP"}]


def test_files_beside_the_manifests_and_those_included_can_be_used(site: Site) -> None:
    site.write("shop", rules__txt="{{ $labels }}", part__j2="{{ config.cluster_name }}")
    text = f"{MAP}  rules: {{{{ file('rules.txt') | yaml }}}}\n  n: {{% include 'part.j2' %}}\n"
    site.write("shop", a__yaml__j2=text)
    (one,) = made(site)
    assert one.body["data"] == {"a": "b", "rules": "{{ $labels }}", "n": "atlas"}


def test_templates_see_nodes_and_the_architectures_of_both(site: Site) -> None:
    line = "  n: \"{{ nodes | map(attribute='address') | join(' ') }} {{ architectures }}\"\n"
    site.write("shop", service__yaml="architectures: [arm64, amd64]", a__yaml__j2=MAP + line)
    (one,) = made(site)
    assert one.body["data"]["n"] == "10.1.0.1 10.1.0.11 10.1.0.12 ['amd64', 'arm64']"


@pytest.mark.parametrize(
    ("dockers", "name", "expected"),
    [
        ({}, "own", "registry/x:1@sha256:2"),
        ({"external": {"own": "mirror/x:1"}}, "own", "mirror/x:1"),
        ({"container": {"web": "mine/web:3"}}, "web", "mine/web:3"),
        ({"system": {"web": {}}, "hub": "site", "tag": "1.9"}, "web", "site/web:1.9"),
        ({"external": {"own": {"fullname": "mirror/x:1"}}}, "own", "mirror/x:1"),
        ({"tag": "1.9"}, "web", "atlas_web:1.9"),
    ],
)
def test_where_an_image_comes_from(
    site: Site, dockers: dict[str, object], name: str, expected: str
) -> None:
    config = site.cluster().config.model_copy(update={"dockers": Dockers.model_validate(dockers)})
    assert image(config, {"own": "registry/x:1@sha256:2"}, name) == expected


@pytest.mark.parametrize(
    ("dockers", "source", "expected"),
    [
        ({}, "packages", "registry/own:1"),
        ({}, "bundle", "10.1.0.1:5443/atlas_own:"),
        ({"build": True}, "packages", "atlas_own:"),
        ({"build": False}, "bundle", "registry/own:1"),
        ({"external": {"own": "mirror/x:1"}}, "bundle", "mirror/x:1"),
    ],
)
def test_images_that_we_build_come_first_where_nodes_may_have_no_internet(
    site: Site, dockers: dict[str, object], source: str, expected: str
) -> None:
    config = site.cluster().config
    kubernetes = config.kubernetes.model_copy(update={"source": source})
    said = {"dockers": Dockers.model_validate(dockers), "kubernetes": kubernetes}
    changed = config.model_copy(update=said)
    images = {"own": "registry/own:1", "other": "registry/other:1"}
    assert image(changed, images, "own", ["own"]).startswith(expected)
    assert image(changed, images, "other", ["own"]) == "registry/other:1"


def test_the_images_that_a_service_asks_for_and_we_build(site: Site) -> None:
    for name in ("web", "two"):
        (site.directory / "templates/images" / name).mkdir(parents=True)
        (site.directory / "templates/images" / name / "Dockerfile").write_text("FROM scratch\n")
    web = WEB.replace("example/web:1", "{{ image('web') }}")
    more = f"{MAP}  n: {{{{ image('Two') }}}}\n  m: {{{{ image('nobodys') }}}}\n"
    site.write("shop", a__yaml__j2=web, b__yaml__j2=more)
    site.write("bare", a__yaml=MAP)
    services = load_all(site.directory)
    templates = Templates(site.cluster())
    assert templates.built(services["shop"]) == {"web", "Two"}
    assert templates.built(services["bare"]) == set()
