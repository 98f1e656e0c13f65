"""People at the job platform of a real cluster: what they type, and what they do in a browser."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from dlws.client import Client
from dlws.config import load
from dlws.images.names import reference
from dlws.install.people import IMAGE, PASSWORD
from dlws.sandbox import lifecycle
from tests.support import forkserver
from tests.support.browser import Browser, browsing
from tests.support.sandboxes import Made
from tests.support.waiting import wait_until

SECRET = "correct horse battery staple"
_LASTING = "trap 'echo bye; exit 0' TERM; n=0; while :; do n=$((n+1)); echo line $n; sleep 1; done"
MARKUP = "<b>bold</b><img src=x onerror=alert(1)>"


@dataclass
class Site:
    """A cluster that `up sandbox` has made, by its directory."""

    directory: Path

    @property
    def made(self) -> Made:
        return Made(self.directory, lifecycle.sandbox_of(self.directory))

    @property
    def address(self) -> str:
        machines = yaml.safe_load((self.directory / "config.yaml").read_text())["machines"]
        return f"https://{machines['infra1']['private-ip']}"

    @property
    def image(self) -> str:
        return reference(load(self.directory), IMAGE)

    def deploy(self, *words: str, stdin: str = "", home: Path | None = None, code: int = 0) -> str:
        """What deploy.py prints; with `home`, for somebody who has that directory of settings."""
        place = home or self.directory
        settings = {"XDG_CONFIG_HOME": str(home or self.directory / "settings")}
        done = forkserver.run(["--dir", str(place), *words], stdin, {**os.environ, **settings})
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def kubectl(self, *words: str) -> Any:
        return json.loads(self.deploy("kubectl", *words, "-o", "json"))


@dataclass
class Person:
    """Somebody with an account, signed in by the command line."""

    site: Site
    name: str
    home: Path

    def __call__(self, *words: str, code: int = 0, stdin: str = "") -> str:
        return self.site.deploy(*words, home=self.home, code=code, stdin=stdin)

    def submit(self, command: str, *options: str) -> str:
        usual = ("--vc", "platform", "--image", self.site.image, "--memory", "64Mi")
        cpu = () if "--cpu" in options else ("--cpu", "0.1")
        return self("job", "submit", *usual, *cpu, *options, "--", command).strip()

    @cached_property
    def client(self) -> Client:
        """The same person by the SDK: for who looks often."""
        found = json.loads((self.home / "dlws/login.json").read_text())
        return Client(found["address"], found["token"], found["ca_file"])

    def leave(self) -> None:
        """Close what `client` keeps open."""
        if "client" in vars(self):
            self.client.transport.close()

    def job(self, number: str) -> Any:
        return json.loads(self("job", "show", number, "--output", "json"))


def people(site: Site, place: Path) -> tuple[Person, Person]:
    """Two people of the virtual cluster, as an administrator adds them."""
    names = ("ada@example.org", "bob@example.org")
    site.deploy("user", "add", *names)
    site.deploy("vc", "assign", "platform", *names)
    token = (site.directory / "deploy/dashboard/admin.token").read_text()
    _sign_in(site, site.directory / "settings", f"{token}\n", "--token")
    for name in names:
        site.deploy("user", "password", name, stdin=f"{SECRET}\n")
    ada, bob = (Person(site, name, place / name.partition("@")[0]) for name in names)
    for one in (ada, bob):
        one.home.mkdir()
        _sign_in(site, one.home, f"{SECRET}\n", "--user", one.name)
    return ada, bob


def _sign_in(site: Site, home: Path, secret: str, *words: str) -> None:
    ca = str(site.directory / "deploy/nginx/ca.crt")
    home.mkdir(exist_ok=True)
    site.deploy("login", f"{site.address}/apis", "--ca-file", ca, *words, stdin=secret, home=home)


def jobs_run_and_wait(ada: Person) -> None:
    """A job runs as its user, and its log is followed; one that can never fit says so with
    numbers."""
    never = ada.submit("true", "--cpu", "900")
    number = ada.submit('echo "I am $(id -u) in $PWD"; echo kept >~/note; echo >/x || echo locked')
    uid = next(row["uid"] for row in json.loads(ada.site.deploy("user", "list", "--output", "json"))
               if row["name"] == ada.name)  # fmt: skip
    assert ada("job", "logs", "-f", number).splitlines()[:1] == [f"I am {uid} in /job"]
    assert ada.job(number)["status"] == "finished"
    told = ada("job", "explain", never)
    assert "never fit" in told and "900 processors" in told
    ada("job", "stop", never)


def what_a_stopped_job_printed_is_kept(ada: Person) -> None:
    """Its pod goes at once, and its log has all of it: the last word, too."""
    lasting = ada.submit(_LASTING)
    wait_until(lambda: "line 2" in ada("job", "logs", lasting), 60)
    ada("job", "stop", lasting)
    ada("job", "logs", "-f", lasting)
    found = ada.job(lasting)
    assert (found["status"], found["reason"]["sentence"]) == ("killed", f"{ada.name} stopped it.")
    wait_until(lambda: ada("job", "logs", lasting).endswith("\nbye\n"), 30)
    *lines, _ = ada("job", "logs", lasting).splitlines()
    assert lines == [f"line {number}" for number in range(1, len(lines) + 1)]


def two_nodes_share_a_persons_files(ada: Person) -> None:
    """Two workers, each too large to be beside the other, meet by a file in the person's home; it
    is the person's on the third node, too."""
    cores = half_a_node(ada.site)
    meet = ("touch ~/from-$RANK; until [ -e ~/from-0 ] && [ -e ~/from-1 ]; do sleep 0.2; done;"
            ' cat /etc/dlws/hostfile; echo "$(stat -c %u ~/from-0 ~/from-1)"')  # fmt: skip
    number = ada.submit(meet, "--kind", "distributed", "--workers", "2", "--cpu", cores)
    told = ada("job", "logs", "-f", number).splitlines()
    uid = told[-1]
    assert ada.job(number)["status"] == "finished" and told[-2:] == [uid, uid] and len(told) == 4
    pods = ada.site.kubectl("get", "pods", "-n", "vc-platform", "-l", f"dlws.io/job={number}")
    assert len({pod["spec"]["nodeName"] for pod in pods["items"]}) == 2
    look = "stat -c '%u %a' /mntdlws/share/work/ada /mntdlws/share/work/ada/from-1"
    assert ada.site.made.run("infra1", look).splitlines()[0] == f"{uid} 700"
    assert ada.site.made.run("infra1", look).splitlines()[1].split()[0] == uid


def half_a_node(site: Site) -> str:
    """More processors than half of those of the smallest worker that is free."""
    nodes = site.kubectl("get", "nodes", "-l", "worker=active")["items"]
    return str(min(int(node["status"]["allocatable"]["cpu"]) for node in nodes) * 0.55)


def people_are_apart(ada: Person, bob: Person) -> None:
    """Another person finds neither the job nor the files."""
    number = ada.submit("true")
    bob("job", "show", number, code=1)
    bob("job", "stop", number, code=1)
    assert json.loads(bob("job", "list", "--output", "json")) == []
    look = bob.submit("ls /home; ls /job; id -u")
    told = bob("job", "logs", "-f", look).splitlines()
    assert told[:-1] == ["bob"]
    owner = bob.site.made.run("worker1", "stat -c %u /mntdlws/share/work/ada")
    assert owner != told[-1]


def in_a_browser(ada: Person, place: Path) -> None:
    """Sign in, submit, watch the log grow, stop; Chinese; an administrator changes a quota."""
    site = ada.site
    certificate = (site.directory / "deploy/nginx/tls.crt").read_text()
    with browsing(place, certificate) as page:
        page.open(f"{site.address}/")
        _enter(page, ada.name, SECRET)
        page.click("Submit a job")
        fields = {"name": MARKUP, "image": site.image, "command": _LASTING, "cpu": "0.1",
                  "memory_mib": "64"}  # fmt: skip
        for name, text in fields.items():
            page.type(f"#{name}", text)
        page.click("Submit")
        page.shows(MARKUP)
        page.click("Log")
        page.shows("line 3")  # the page is read again by itself
        page.click("Back to the job")
        page.click("stop")
        page.read_again_until("killed")
        page.click("中文")
        page.shows("已停止")
        page.click("English")
        page.click("Jobs")
        page.shows(MARKUP)
        page.click("Sign out")
        _administer(page, site)
        assert page.scripts == [], "markup in a name ran"


def _enter(page: Browser, name: str, password: str) -> None:
    page.shows("Password")
    page.type("#user", name)
    page.type("#password", password)
    page.click("Sign in")
    page.shows(f"Signed in as {name}")


def _administer(page: Browser, site: Site) -> None:
    admin = load(site.directory).user_groups["administrators"].allowed[0]
    page.open(f"{site.address}/sign-in")
    _enter(page, admin, (site.directory / PASSWORD).read_text().strip())
    page.click("Virtual clusters")
    page.click("Change it")
    page.type("#quota", "V100=3\ncpu=64")
    page.click("Change it")
    page.shows("Quota and use")
    rows = json.loads(site.deploy("vc", "list", "--output", "json"))
    assert rows[0]["quota"] == {"V100": 3, "cpu": 64}
