"""Values with anything in them arrive at the far end of our services as they are."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlws.portal import settings
from dlws.services.manifests import Object, template_of
from dlws.services.values import Templates
from jobplatform.model.signin import SignIn
from tests.support.examples import AWKWARD, cluster_of, filled_in, objects_of

PATH = "/srv/my 'data' \"x\" $y; [?] 100% ü \\n #1"
ALERT = {"smtp_url": "smtp.example.org", "login": AWKWARD, "password": f"mail{AWKWARD}",
         "sender": AWKWARD, "receiver": ["ops@example.org", AWKWARD]}  # fmt: skip
CHANGES: Mapping[str, Any] = {
    "mysql_password": f"db{AWKWARD}",
    "mysql_username": AWKWARD,
    "mysql_data_path": PATH,
    "cluster_name_friendly": AWKWARD,
    "storage-mount-path": f"{PATH}/links",
    "jwt": {"secret_key": f"jwt{AWKWARD}"},
    "Authentications": {"Microsoft": {"TenantId": AWKWARD, "ClientId": AWKWARD,
                                      "ClientSecret": f"ms{AWKWARD}"},
                        "Wechat": {"AppId": AWKWARD, "AppSecret": f"wx{AWKWARD}"}},
    "activeDirectory": {"tenant": AWKWARD, "clientId": AWKWARD, "clientSecret": f"ad{AWKWARD}"},
    "repair-manager": {"alert": ALERT},
    "custom_mounts": [{"hostPath": PATH}],
    "UserGroups": {"DLWSAdmins": {"Allowed": ["o'neil@example.org"], "uid": "1", "gid": "2"}},
    "apt_mirror_url": "https://mirror.example.org/a'b\"$c [d]",
}  # fmt: skip
Found = Mapping[str, list[Object]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    place = tmp_path_factory.mktemp("awkward")
    return objects_of(cluster_of(place, filled_in(**CHANGES), AWKWARD))


def secret(found: Found, service: str, name: str = "") -> dict[str, str]:
    """What a Secret holds."""
    bodies = {one.body["metadata"]["name"]: one.body for one in found[service]
              if one.body["kind"] == "Secret"}  # fmt: skip
    data = bodies[name or service]["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def body(found: Found, service: str, kind: str, name: str = "") -> dict[str, Any]:
    return next(one.body for one in found[service]
                if (one.body["kind"], one.name) == (kind, name or service))  # fmt: skip


def test_the_database_reads_its_password_and_lies_where_it_should(found: Found) -> None:
    assert secret(found, "mysql") == {"password": f"db{AWKWARD}"}
    spec = body(found, "mysql", "StatefulSet")["spec"]["template"]["spec"]
    assert spec["volumes"][0]["hostPath"]["path"] == PATH
    assert {"name": "MYSQL_ROOT_HOST", "value": "localhost"} in spec["containers"][0]["env"]


def test_the_job_platform_reads_its_secrets_and_where_its_database_is(found: Found) -> None:
    api = secret(found, "restfulapi2")
    entry = SignIn.model_validate_json(api.pop("sign-in.json"))
    assert [(one.client_id, one.client_secret.get_secret_value()) for one in entry.ways] == [
        (AWKWARD, f"ms{AWKWARD}"), (AWKWARD, f"wx{AWKWARD}"),
    ]  # fmt: skip
    assert entry.groups[0].allowed == ("o'neil@example.org",)
    assert api == {
        "database-password": f"db{AWKWARD}", "admin-token": f"admin.token{AWKWARD}",
    }  # fmt: skip
    assert secret(found, "jobmanager2") == {"database-password": f"db{AWKWARD}"}
    for service, kind in [("restfulapi2", "DaemonSet"), ("jobmanager2", "Deployment")]:
        spec = body(found, service, kind)["spec"]["template"]["spec"]
        for one in [*spec.get("initContainers", []), *spec["containers"]]:
            told = {row["name"].removeprefix("PLATFORM_DATABASE_"): row["value"]
                    for row in one["env"] if "_DATABASE_" in row["name"]}  # fmt: skip
            assert told == {"HOST": "10.96.0.19", "PORT": "3306", "USER": AWKWARD,
                            "NAME": "DLWSCluster-6f1f2d6e-0000-4000-8000-000000000001"}  # fmt: skip


def test_the_settings_of_other_services_are_read(found: Found) -> None:
    settings = yaml.safe_load(secret(found, "repairmanager2")["config.yaml"])
    assert settings["mysql"] == {"hostname": "10.96.0.19", "port": 3306, "username": AWKWARD,
                                 "password": f"db{AWKWARD}"}  # fmt: skip
    assert settings["jwt"]["secret_key"] == f"jwt{AWKWARD}"
    assert settings["storage-mount-path"] == f"{PATH}/links"
    assert settings["custom_mounts"] == [{"hostPath": PATH}]
    assert settings["UserGroups"]["DLWSAdmins"]["Allowed"] == ["o'neil@example.org"]


def test_the_portal_has_no_secret_and_asks_the_api(found: Found) -> None:
    assert [one.kind.name for one in found["webui3"]] == ["Service", "DaemonSet"]
    spec = body(found, "webui3", "DaemonSet")["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsUser"] == 65532
    (container,) = spec["containers"]
    assert container["args"] == ["portal"]
    assert container["env"] == [{"name": "PLATFORM_API", "value": "http://10.96.0.20:5000"}]


def test_a_portal_of_an_older_version_reads_its_settings(tmp_path: Path) -> None:
    local = yaml.safe_load(settings.text(cluster_of(tmp_path, filled_in(**CHANGES), AWKWARD)))
    assert local["sign"] == f"jwt{AWKWARD}"
    assert local["activeDirectory"] == {"tenant": AWKWARD, "clientId": AWKWARD,
                                        "clientSecret": f"ad{AWKWARD}"}  # fmt: skip
    assert local["wechat"] == {"appId": AWKWARD, "appSecret": f"wx{AWKWARD}"}
    assert local["clusters"]["mycluster"]["title"] == AWKWARD
    assert local["administrators"] == ["o'neil@example.org"]
    assert local["domain"] == "https://mycluster.example.org"


def test_older_names_lead_to_the_portal_and_the_api(found: Found) -> None:
    services = {one.name: one.body["spec"] for one in found["custom-user-dashboard"]}
    assert {name: (one["selector"], one["clusterIP"]) for name, one in services.items()} == {
        "custom-user-dashboard-frontend": ({"app": "webui3"}, "10.96.0.24"),
        "custom-user-dashboard-backend": ({"app": "restfulapi2"}, "10.96.0.25"),
    }
    text = body(found, "nginx", "ConfigMap")["data"]["nginx.conf"]
    assert "location ~ ^/custom-user-dashboard(/|$) { return 302 /users; }" in text


def test_alertmanager_reads_where_mails_go(found: Found) -> None:
    files = secret(found, "prometheus", "alertmanager")
    settings = yaml.safe_load(files["alertmanager.yml"])
    assert settings["global"]["smtp_smarthost"] == "smtp.example.org:587"
    assert settings["global"]["smtp_auth_username"] == AWKWARD
    (mail,) = settings["receivers"][-1]["email_configs"]
    assert mail["to"] == f"ops@example.org, {AWKWARD}"
    assert settings["route"]["receiver"] == "mail"
    assert files["smtp-password"] == f"mail{AWKWARD}"


def test_prometheus_reads_what_it_measures(found: Found) -> None:
    data = body(found, "prometheus", "ConfigMap")["data"]
    settings = yaml.safe_load(data["prometheus.yml"])
    jobs = {one["job_name"]: one for one in settings["scrape_configs"]}
    assert jobs["node"]["static_configs"][0] == {
        "targets": ["192.168.3.2:9100"], "labels": {"instance": "master01"},
    }  # fmt: skip
    for name in ("nodes.rules", "devices.rules", "own.rules"):
        assert yaml.safe_load(data[name])["groups"] is not None
    (targets, *_) = json.loads(
        body(found, "monitor", "ConfigMap", "prometheus-targets")["data"]["platform.json"]
    )
    assert targets["labels"]["app"] == "job-exporter"


def test_others_read_their_secrets(found: Found) -> None:
    files = secret(found, "user-synchronizer")
    assert sorted(files) == ["database-password", "sign-in.json"]
    assert f"ms{AWKWARD}" in SignIn.model_validate_json(
        files["sign-in.json"]
    ).ways[0].client_secret.get_secret_value()  # fmt: skip
    assert secret(found, "openresty")["JWT_SECRET"] == f"jwt{AWKWARD}"
    assert secret(found, "grafana")["password"] == f"admin.password{AWKWARD}"
    assert secret(found, "logging")["password"] == f"logging.password{AWKWARD}"
    mails = yaml.safe_load(secret(found, "repairmanager2")["email-config.yaml"])
    assert mails["password"] == f"mail{AWKWARD}"
    assert mails["receiver"] == ["ops@example.org", AWKWARD]


def test_nothing_of_theirs_reaches_the_settings_of_nginx(found: Found) -> None:
    text = body(found, "nginx", "ConfigMap")["data"]["nginx.conf"]
    assert "server_name mycluster.example.org;" in text
    assert "ssl_certificate_key /run/secrets/nginx/tls.key;" in text
    assert "'a\"" not in text
    assert text.count("{") == text.count("}")


def test_no_secret_stands_outside_of_secrets(found: Found) -> None:
    parts = [one.body for objects in found.values() for one in objects
             if one.body["kind"] != "Secret"]  # fmt: skip
    words = json.dumps(parts, ensure_ascii=False)
    for name in ("db", "jwt", "ms", "wx", "ad", "mail", "admin.password", "master.token"):
        assert json.dumps(f"{name}{AWKWARD}", ensure_ascii=False)[1:-1] not in words


def test_programs_of_ours_read_their_secrets_from_files_alone(found: Found) -> None:
    """Neither command lines nor environments have one, nor what they start; but for programs of
    others that read theirs nowhere else."""
    seen = set()
    for service, objects in found.items():
        for pod in filter(None, (template_of(one.body) for one in objects)):
            spec = pod["spec"]
            containers = [*spec["containers"], *spec.get("initContainers", [])]
            if any("secretKeyRef" in json.dumps(one) or "envFrom" in one for one in containers):
                seen.add(service)
    assert seen == {"logging", "openresty"}


def test_a_database_elsewhere_takes_the_place_of_ours(tmp_path: Path) -> None:
    cluster = cluster_of(tmp_path, filled_in(mysql_host="db.example.org"))
    everything = objects_of(cluster)
    assert everything["mysql"] == []
    settings = yaml.safe_load(secret(everything, "repairmanager2")["config.yaml"])
    assert settings["mysql"]["hostname"] == "db.example.org"
    spec = body(everything, "jobmanager2", "Deployment")["spec"]["template"]["spec"]
    assert {"name": "PLATFORM_DATABASE_HOST", "value": "db.example.org"} in spec["containers"][0][
        "env"
    ]
    assert Templates(cluster)
