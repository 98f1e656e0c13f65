"""The portal's other pages: virtual clusters, people, rights; languages, names, and an API that is
away."""

from __future__ import annotations

import re
import string

import pytest
from sqlalchemy import update

from jobplatform.model import reasons, status
from jobplatform.portal import clusters, pages, submit, words
from jobplatform.portal.backend import Refusal
from jobplatform.portal.jobs import STATES
from jobplatform.portal.reasons import ZH, sentence
from jobplatform.store import vcs
from jobplatform.store.database import changing
from jobplatform.store.tables import jobs
from tests.support.platform.clients import PASSWORD
from tests.support.platform.portals import Portal, read

NASTY = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "{{ 7 * 7 }} {% x %}",
         "&lt;b&gt;", "</title></textarea></pre><b>", "javascript:alert(1)", "\u202edne 🔑 é",
         "a'b\"c`d"]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_names_with_markup_are_text(portal: Portal, text: str) -> None:
    number = portal.api.submit(name=text, command=text, env={"A": text})
    root = portal.browser("root", "zh")
    kinds: set[str] = set()
    for path in ("/jobs", f"/jobs/{number}", f"/jobs/{number}/log", f"/jobs/new?from={number}"):
        page = read(root.get(path).text)
        kinds |= {tag for tag, _ in page.elements}
        values = [one.get("value") for _, one in page.elements]
        assert text in page.text or text in values, path
    assert not kinds & {"script", "img", "b"}


def test_names_of_virtual_clusters_and_users_with_markup_are_text(portal: Portal) -> None:
    """The API takes no such names any more; tables of the predecessor's may hold them."""
    name = "<b>'\"&?/x"
    with changing(portal.api.engine) as connection:
        vcs.add(connection, name, {"V100": 1}, {})
        connection.exec_driver_sql("UPDATE acl SET identityName = '<i>x' WHERE identityName='bob'")
    root = portal.browser("root")
    for path in ("/vcs", "/jobs", "/jobs/new", "/rights"):
        page = read(root.get(path).text)
        assert not {tag for tag, _ in page.elements} & {"b", "i"}
        assert name in page.text
    assert "<i>x" in read(root.get("/rights").text).text


def test_virtual_clusters_show_quota_and_use(portal: Portal) -> None:
    number = portal.api.submit(kind="distributed", workers=2, device="V100", devices=3,
                               cpu_millis=1500)  # fmt: skip
    waiting = portal.api.submit(device="V100", devices=1)
    with changing(portal.api.engine) as connection:
        connection.execute(update(jobs).where(jobs.c.jobId == number).values(jobStatus="running"))
    (found,) = portal.api("ann", "GET", "/api/v1/vcs").json()
    assert (found["quota"], found["used"]) == ({"V100": 8}, {"V100": 6, "cpu": 3})
    page = portal.browser("ann").get("/vcs").text
    assert re.sub(r"\s+", " ", read(page).text).count("V100 6 8") == 1
    assert "processors" in page and "A new virtual cluster" not in page
    leaving = {"jobStatus": status.KILLING, "placement": '{"nodes": ["n"]}'}
    with changing(portal.api.engine) as connection:
        connection.execute(update(jobs).where(jobs.c.jobId == waiting).values(jobStatus="killing"))
        connection.execute(update(jobs).where(jobs.c.jobId == number).values(**leaving))
        connection.execute(update(jobs).where(jobs.c.jobId == waiting).values(jobParams="{"))
    (found,) = portal.api("ann", "GET", "/api/v1/vcs").json()
    assert found["used"] == {"V100": 6, "cpu": 3}


def test_administrators_make_and_change_virtual_clusters(portal: Portal) -> None:
    root = portal.browser("root")
    made = {"name": "c", "quota": "V100=8\r\n cpu = 64 \r\n", "user_quota": "4", "fifo": "true"}
    assert root.post("/vcs", made, "/vcs").status_code == 303
    told = {one["name"]: one for one in portal.api("root", "GET", "/api/v1/vcs").json()}
    assert told["c"] == {"name": "c", "quota": {"V100": 8, "cpu": 64}, "used": {},
                         "user_quota": 4, "fifo": True}  # fmt: skip
    page = read(root.get("/vcs/c").text)
    assert "V100=8\ncpu=64" in page.text
    assert root.post("/vcs/c", clusters.filled(told["c"]), "/vcs/c").status_code == 303
    again = {one["name"]: one for one in portal.api("root", "GET", "/api/v1/vcs").json()}
    assert again == told
    answer = root.post("/vcs", made, "/vcs")
    assert (answer.status_code, "already" in answer.text) == (409, True)
    for path, wrong in [("/vcs", {"name": "../x"}), ("/vcs/c", {"quota": "V100=x"}),
                        ("/vcs/c", {"quota": "V100"}), ("/vcs/c", {"quota": "A=1\nA=2"}),
                        ("/vcs/c", {"user_quota": "-1"})]:  # fmt: skip
        answer = root.post(path, {**made, **wrong}, "/vcs")
        assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)
    assert root.get("/vcs/nowhere").status_code == 404


@pytest.mark.parametrize("who", ["ann", "boss"])
def test_hole_13_only_administrators_administer(portal: Portal, who: str) -> None:
    one = portal.browser(who)
    for path in ("/users", "/vcs/a"):
        assert one.get(path).status_code == 403
    for path in ("/users", "/users/password", "/vcs", "/vcs/a"):
        assert one.post(path, {"name": "ann"}, "/jobs").status_code == 403
    given = {"user": "ann", "vc": "*", "permissions": "7"}
    assert one.post("/rights", given, "/jobs").status_code == 403
    assert one.get("/rights").status_code == (200 if who == "boss" else 403)
    assert "/users" not in one.get("/jobs").text
    assert not portal.api("ann", "GET", "/api/v1/me").json()["administrator"]


def test_people_get_numbers_passwords_and_rights(portal: Portal) -> None:
    root = portal.browser("root")
    eve = {"name": "eve", "uid": "5000", "gid": "5000", "groups": "5001, 5002", "password": ""}
    assert root.post("/users", eve, "/users").headers["location"] == "/users?done=true"
    assert "This was done." in root.get("/users?done=true").text
    given = {"name": "eve", "password": PASSWORD}
    assert root.post("/users/password", given, "/users").status_code == 303
    right = {"user": "eve", "vc": "a", "permissions": "1"}
    assert root.post("/rights", right, "/rights").status_code == 303
    new = portal.browser()
    assert new.post("/sign-in", {"user": "eve", "password": PASSWORD}).status_code == 303
    assert "eve" in new.get("/jobs").text and 'value="a"' not in new.get("/vcs").text
    boss = portal.browser("boss")
    assert ">eve<" in boss.get("/rights").text
    assert boss.post("/rights", {**right, "permissions": "0"}, "/rights").status_code == 303
    assert "There is none that you may use." in new.get("/vcs").text
    for path, wrong, code in [
        ("/users", {**eve, "uid": "0"}, 422), ("/users", {**eve, "gid": "x"}, 422),
        ("/users", {**eve, "password": "short"}, 422), ("/rights", {**right, "vc": ""}, 422),
        ("/users/password", {"name": "nobody", "password": PASSWORD}, 404),
        ("/users/password", {"name": "../vcs/a", "password": PASSWORD}, 404),
        ("/users/password", {"name": "", "password": PASSWORD}, 404),
    ]:  # fmt: skip
        answer = root.post(path, wrong, "/rights")
        assert (answer.status_code, 'role="alert"' in answer.text) == (code, True), (path, wrong)
        assert PASSWORD not in answer.text


def test_the_language_is_the_browsers_until_one_chooses(portal: Portal) -> None:
    portal.api.submit()
    chinese = portal.browser("ann", "zh-CN,zh;q=0.9,en;q=0.8")
    answer = chinese.get("/jobs")
    assert answer.headers["content-language"] == "zh" and '<html lang="zh">' in answer.text
    assert "待审批" in answer.text and "Virtual cluster" not in answer.text
    answer = chinese.post("/language", {"language": "en", "next": "/jobs?vc=a"}, "/jobs")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?vc=a")
    assert '<html lang="en">' in chinese.get("/jobs").text
    chinese.post("/language", {"language": "<b>"}, "/jobs")
    assert '<html lang="en">' in chinese.get("/jobs").text


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [("", "", "en"), ("", "fr", "en"), ("", "zh", "zh"), ("", "ZH-TW", "zh"), ("zh", "en", "zh"),
     ("", "en;q=0.5, zh;q=0.6", "zh"), ("", "zh;q=0", "en"), ("", "zh;q=x", "en"),
     ("", "zh;q=nan", "en"), ("", "en,zh", "en"), ("<b>", "zh", "zh"), ("", ",;=,", "en")],
)  # fmt: skip
def test_which_language(cookie: str, accepted: str, language: str) -> None:
    assert words.chosen(cookie, accepted) == language


def test_all_words_of_the_pages_are_there_in_chinese() -> None:
    found = {text for path in pages.PLACE.glob("*.html")
             for text in re.findall(r'\b_\("([^"]*)"\)', path.read_text())}  # fmt: skip
    assert len(found) > 90
    causes = {cause for cause, _ in reasons.ENDED.values()}
    found |= {*submit.KINDS, *STATES, *causes, *status.VERBS}
    assert found - set(words.ZH) == set()
    assert set(words.ZH) - found == set()
    assert set(STATES) == status.LIVE | status.ENDED | {status.PAUSED}


def test_reasons_are_told_in_chinese_with_the_same_numbers(portal: Portal) -> None:
    english = {**reasons.WAITING, **{code: text for code, (_, text) in reasons.ENDED.items()}}
    assert {code: fields(text) for code, text in english.items()} == {
        code: fields(text) for code, text in ZH.items()
    }
    number = portal.api.submit()
    why = reasons.Reason("cluster-full", {"wanted": 9, "device": "<b>", "free": 8})
    with changing(portal.api.engine) as connection:
        connection.execute(update(jobs).values(jobStatus="queued", reason=why.stored()))
    for path in ("/jobs", f"/jobs/{number}"):
        shown = portal.browser("ann", "zh").get(path).text
        assert '<span lang="zh">需要 9 个 &lt;b&gt;, 空闲 8 个。</span>' in shown
    newer = {"code": "cluster-full", "sentence": "Other words.", "values": {}}
    assert sentence(newer, "zh") == ("Other words.", "en")
    assert sentence({**newer, "code": "x"}, "zh") == ("Other words.", "en")


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_pages_can_be_read_aloud_and_used_with_keys(portal: Portal) -> None:
    number = portal.api.submit(kind="distributed", workers=2)
    root = portal.browser("root")
    paths = ["/jobs", "/jobs/new?kind=distributed", f"/jobs/{number}", f"/jobs/{number}/log",
             "/vcs", "/vcs/a", "/users", "/rights", "/account", "/sign-in"]  # fmt: skip
    for path in paths:
        found = read(root.get(path).text).elements
        tags = [tag for tag, _ in found]
        assert (tags.count("h1"), tags.count("main"), tags.count("title")) == (1, 1, 1), path
        ids = [one["id"] for _, one in found if "id" in one]
        assert len(ids) == len(set(ids)), path
        labelled = {one["for"] for tag, one in found if tag == "label"}
        for tag, one in found:
            if tag in {"input", "select", "textarea"} and one.get("type") != "hidden":
                assert one["id"] in labelled, (path, one)
            for name in ("aria-describedby", "aria-labelledby"):
                assert one.get(name, ids[0]) in ids
            assert int(one.get("tabindex", 0)) <= 0
        assert all("scope" in one for tag, one in found if tag == "th")
        assert ("meta", "width=device-width, initial-scale=1") in [
            (tag, one.get("content", "")) for tag, one in found
        ]


def test_an_api_that_is_away_is_told_with_when_to_ask_again(portal: Portal) -> None:
    ann = portal.browser("ann")
    seal = ann.seal("/jobs")
    portal.asked.away = True
    answer = ann.get("/jobs")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "does not answer now" in answer.text and "Try again" in answer.text
    sent = ann.client.post("/jobs/x/stop", data={"seal": seal}, follow_redirects=False)
    assert sent.status_code == 503
    assert (ann.get("/readyz").status_code, ann.get("/healthz").status_code) == (503, 200)
    portal.asked.away = False
    assert ann.get("/jobs").status_code == 200 and ann.get("/readyz").status_code == 200


def test_what_the_api_says_is_away_is_told_too(portal: Portal) -> None:
    ann = portal.browser("ann")
    portal.kubernetes.away = True
    number = portal.api.submit()
    with changing(portal.api.engine) as connection:
        connection.execute(update(jobs).values(jobStatus="running", attempt=1))
    answer = ann.get(f"/jobs/{number}/log")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Kubernetes does not answer now" in answer.text


def test_a_defect_shows_nothing_of_itself(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*given: object) -> None:
        raise ValueError("inner words")

    monkeypatch.setattr(portal.asked, "send", broken)
    answer = portal.browser("ann").get("/jobs")
    assert (answer.status_code, "defect" in answer.text) == (500, True)
    assert "inner words" not in answer.text and "inner words" in caplog.text
    assert portal.api.tokens["ann"] not in caplog.text


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "٣", "9" * 30, "1e3"])
def test_what_is_no_whole_number_is_said(text: str) -> None:
    with pytest.raises(Refusal, match="no whole number"):
        clusters.whole("uid", text)
