"""What Prometheus is told by the manager and the API, who reaches it, and what it does not say."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from sqlalchemy import Engine

from dlws.core.resources import templates
from jobplatform import metrics
from jobplatform.api import meters as requests
from jobplatform.manager import meters as manager
from jobplatform.settings import Missing, metrics_port
from tests.support.examples import cluster_of, filled_in, objects_of
from tests.support.platform.clients import Api
from tests.support.platform.managers import GANG, Site
from tests.support.sshd import free_port


@pytest.fixture
def site(database: Engine) -> Site:
    return Site(database)


def told(site: Site, name: str, **labels: str) -> float | None:
    return site.manager.meters.registry.get_sample_value(name, labels)


def test_jobs_are_counted_by_state_and_virtual_cluster(site: Site) -> None:
    running = site.submit(**GANG)
    site.submit(**GANG)
    paused = site.submit()
    site.turns()
    site.ask(paused, "pausing")
    site.turns()
    assert site.job(running).jobStatus == "running"
    counted = {state: told(site, "dlws_jobs", vc="a", status=state)
               for state in ("running", "queued", "paused", "finished")}  # fmt: skip
    assert counted == {"running": 1, "queued": 1, "paused": 1, "finished": None}
    assert told(site, "dlws_vc_quota", vc="a", device="V100") == 16
    assert told(site, "dlws_vc_used", vc="a", device="V100") == 16
    for index in (0, 1):
        site.cluster.end(f"job-{running}-1-worker-{index}")
    site.manager.turn()
    assert told(site, "dlws_jobs_ended_total", vc="a", status="finished", cause="user") == 1


def test_waiting_and_starting_are_measured_by_the_databases_clock(site: Site) -> None:
    number = site.submit()
    site.long_ago(number, queuedAt=site.manager._now() - 90_000)
    site.turns()
    for name, least in (("waiting", 60), ("starting", 0)):
        assert told(site, f"dlws_job_{name}_seconds_count", vc="a") == 1
        assert (told(site, f"dlws_job_{name}_seconds_sum", vc="a") or 0) >= least
    site.cluster.delete("pods", "vc-a", f"job-{number}-1-worker-0")
    site.turns(4)
    assert site.job(number).attempt == 2
    assert told(site, "dlws_job_waiting_seconds_count", vc="a") == 1  # the next one is no queue's
    assert told(site, "dlws_job_starting_seconds_count", vc="a") == 2


def test_devices_are_counted_for_as_long_as_they_are_held(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.submit(**GANG)
    site.submit()  # one without devices
    site.turns()
    meters, before = site.manager.meters, told(site, "dlws_device_seconds_total", vc="a",
                                               device="V100")  # fmt: skip
    assert before is not None and meters.before is not None
    meters.before -= 10_000
    last = meters.before
    site.manager.turn()
    after = told(site, "dlws_device_seconds_total", vc="a", device="V100")
    assert after == pytest.approx(before + 16 * (meters.before - last) / 1000)
    meters.before += 10**9  # a clock that goes back takes nothing away
    site.manager.turn()
    assert told(site, "dlws_device_seconds_total", vc="a", device="V100") == after


def test_only_the_leader_shows_jobs(site: Site) -> None:
    site.submit()
    site.turns()
    assert told(site, "dlws_manager_leads") == 1
    site.forget_lease()
    other = Site.__new__(Site)
    other.manager = type(site.manager)(site.engine, site.cluster, "two")
    assert other.manager.turn() and not site.manager.turn()
    for one, leads, jobs in ((site, 0, None), (other, 1, 1)):
        assert told(one, "dlws_manager_leads") == leads
        assert told(one, "dlws_jobs", vc="a", status="running") == jobs


def test_requests_are_counted_by_route_and_nothing_that_strangers_make_up(api: Api) -> None:
    number = api.submit()
    for path in (f"/api/v1/jobs/{number}", "/api/v1/jobs/no-such", "/made/up", "/made/up/too"):
        api("ann", "GET", path)
    api("ann", "INVENTED", f"/api/v1/jobs/{number}")
    registry = api.client.app.state.meters.registry  # type: ignore[attr-defined]

    def counted(method: str, route: str, code: str) -> float | None:
        labels = {"method": method, "route": route, "code": code}
        return registry.get_sample_value("dlws_api_requests_total", labels)  # type: ignore[no-any-return]

    assert counted("POST", "/api/v1/jobs", "201") == 1
    assert counted("GET", "/api/v1/jobs/{number}", "200") == 1
    assert counted("GET", "/api/v1/jobs/{number}", "404") == 1
    assert counted("GET", "other", "404") == 2
    text = generate_latest(registry).decode()
    for word in (number, "made", "INVENTED", "ann"):
        assert word not in text


def test_no_label_names_a_person_or_a_job(site: Site) -> None:
    number = site.submit(device="V100", devices=1)
    site.turns()
    text = generate_latest(site.manager.meters.registry).decode()
    assert 'dlws_jobs{status="running",vc="a"} 1.0' in text
    assert "ann" not in text and number not in text


def test_they_are_served_at_a_port_of_their_own_where_one_is_given() -> None:
    registry = CollectorRegistry()
    Counter("dlws_things", "Things", registry=registry).inc()
    port = free_port()
    with metrics.serve(registry, port) as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert b"dlws_things_total 1.0" in answer.read()
        server.shutdown()
    assert metrics_port({}) is None
    assert metrics_port({"PLATFORM_METRICS_PORT": "9190"}) == 9190
    with pytest.raises(Missing, match="is no number"):
        metrics_port({"PLATFORM_METRICS_PORT": "x"})


def test_probes_are_answered_at_the_same_port() -> None:
    alive, port = [False], free_port()
    with metrics.serve(CollectorRegistry(), port, {"/alive": lambda: alive[0]}) as server:
        with pytest.raises(urllib.error.HTTPError, match="503") as told:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/alive")
        told.value.close()
        alive[0] = True
        for path in ("/alive", "/metrics"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}").close()
        server.shutdown()


def test_the_page_of_the_monitor_asks_for_what_is_told() -> None:
    page = (templates() / "services/nginx/files/monitor/monitor.js").read_text()
    asked = {one.removesuffix("_bucket") for one in re.findall(r"dlws_\w+", page)}
    given = {f"{one.name}_total" if one.type == "counter" else one.name
             for meters in (manager.Meters(), requests.Meters())
             for one in meters.registry.collect()}  # fmt: skip
    assert asked and asked <= given


@pytest.mark.parametrize(("app", "more"), [("jobmanager2", []), ("restfulapi2", [5000])])
def test_prometheus_alone_reaches_them(tmp_path: Path, app: str, more: list[int]) -> None:
    everything = objects_of(cluster_of(tmp_path, filled_in()))

    def found(service: str, kind: str, name: str) -> Any:
        (one,) = [one.body for one in everything[service] if (one.body["kind"], one.body["metadata"]
                  ["name"]) == (kind, name)]  # fmt: skip
        return one

    first, *rest = found(app, "NetworkPolicy", app)["spec"]["ingress"]
    assert first["from"] == [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]
    (port,) = first["ports"]
    assert [one["ports"][0]["port"] for one in rest] == more
    service = found(app, "Service", f"{app}-metrics")["spec"]
    assert service["ports"][0]["targetPort"] == port["port"]
    data = found(app, "ConfigMap", f"{app}-targets")["data"]
    assert json.loads(data[f"{app}.json"])[0]["targets"] == [
        f"{service['clusterIP']}:{port['port']}"
    ]
    prometheus = found("prometheus", "Deployment", "prometheus")["spec"]["template"]
    assert prometheus["metadata"]["labels"]["app"] == "prometheus"
    (targets,) = [one for one in prometheus["spec"]["volumes"] if one["name"] == "targets"]
    names = [one["configMap"] for one in targets["projected"]["sources"]]
    assert {"name": f"{app}-targets", "optional": True} in names
