from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.bash import SCRIPTS, bash


@pytest.fixture
def name_server() -> Iterator[SimpleNamespace]:
    """A DNS server on 127.0.0.1 that answers each question with a code of our choice."""
    server = SimpleNamespace(code=0, questions=[])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        server.port = udp.getsockname()[1]

        def answer() -> None:
            while True:
                question, sender = udp.recvfrom(512)
                if not question:
                    return
                server.questions.append(question)
                if server.code is not None:
                    head = question[:2] + b"\x81" + bytes([0x80 | server.code])
                    udp.sendto(head + question[4:], sender)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server
        udp.sendto(b"", udp.getsockname())
        thread.join()


@pytest.mark.parametrize(("code", "usable"), [(0, 0), (3, 0), (2, 1), (5, 1), (None, 1)])
def test_name_servers_are_asked(
    root: Path, name_server: SimpleNamespace, code: int | None, usable: int
) -> None:
    name_server.code = code
    done = bash('answers 127.0.0.1 a.example.com "$1"', root, str(name_server.port))
    assert done.returncode == usable
    assert name_server.questions[0][12:] == b"\1a\7example\3com\0\0\1\0\1"


RESOLV = "# made by hand\noptions ndots:2\nsearch old.example\nnameserver 10.0.0.9\n"

GOOD = "answers() { [ $1 != 10.0.0.3 ]; }; known_name() { echo x.example; }; getent() { :; }\n"

BROKEN = GOOD.replace("getent() { :; }", "getent() { false; }")

SET = 'uses_resolved() { false; }; uses_resolvconf() { false; }\nset_resolver "$@"; finish'


def test_resolv_conf_gets_the_clusters_servers_first(root: Path) -> None:
    path = root / "etc/resolv.conf"
    path.write_text(RESOLV)
    words = ("sigsus.cn", "10.0.0.1", "10.0.0.2", "10.0.0.3")
    done = bash(GOOD + SET, root, *words)
    assert "10.0.0.3 does not answer" in done.stderr
    assert path.read_text() == (
        "# made by hand\noptions ndots:2\nsearch sigsus.cn old.example\n"
        "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.9\n"
    )
    assert (root / "etc/resolv.conf.dlws-before").read_text() == RESOLV
    assert bash(GOOD + SET, root, *words).stdout == "nothing to do\n"


def test_without_servers_only_the_search_domain(root: Path) -> None:
    path = root / "etc/resolv.conf"
    path.write_text(RESOLV)
    assert bash(GOOD + SET, root, "").stdout == "nothing to do\n"
    assert bash(GOOD + SET, root, "sigsus.cn").returncode == 0
    assert path.read_text() == RESOLV.replace("search", "search sigsus.cn")


@pytest.mark.parametrize("text", [BROKEN, GOOD.replace("[ $1 != 10.0.0.3 ]", "false")])
def test_a_name_service_that_works_is_kept(root: Path, text: str) -> None:
    path = root / "etc/resolv.conf"
    path.write_text(RESOLV)
    done = bash(text + SET, root, "sigsus.cn", "10.0.0.1")
    assert done.returncode == 1
    assert path.read_text() == RESOLV


@pytest.mark.parametrize("value", ["10.0.0.1; reboot", "$(id)", "a b", "8.8.8"])
def test_what_is_no_name_server(root: Path, value: str) -> None:
    path = root / "etc/resolv.conf"
    path.write_text(RESOLV)
    done = bash(SET, root, "sigsus.cn", value)
    assert done.returncode == 1
    assert "dns_server" in done.stderr
    assert path.read_text() == RESOLV


def test_resolved_gets_a_drop_in(root: Path) -> None:
    stub = GOOD + 'systemctl() { say "systemctl $*"; }; uses_resolved() { :; }\n'
    text = stub + 'set_resolver "$@"; finish'
    done = bash(text, root, "sigsus.cn", "10.0.0.1", "10.0.0.2")
    dropin = root / "etc/systemd/resolved.conf.d/dlws.conf"
    assert dropin.read_text() == "[Resolve]\nDNS=10.0.0.1 10.0.0.2\nDomains=sigsus.cn\n"
    assert "systemctl restart systemd-resolved" in done.stdout
    assert bash(text, root, "sigsus.cn", "10.0.0.1", "10.0.0.2").stdout == "nothing to do\n"
    bad = bash(text.replace("getent() { :; }", "getent() { false; }"), root, "other.cn")
    assert bad.returncode == 1
    assert "Domains=sigsus.cn" in dropin.read_text()


@pytest.mark.parametrize("servers", ["", "10.0.0.1", "10.0.0.1 fd00::1", "$(touch pwned)\n*"])
@pytest.mark.parametrize("domain", ["sigsus.cn", "", "a'\nVALUES\n$(touch pwned)\n", 'x"y'])
def test_values_in_dns_are_data(tmp_path: Path, root: Path, domain: str, servers: str) -> None:
    text = (SCRIPTS / "dns.sh").read_text()
    body = text[text.index("read -r") : text.index("need_root")]
    call = text[text.index("set_resolver") : text.index("finish")]
    says = 'set_resolver() { printf "%s\\0" "$@"; }\n'
    done = bash(says + body + call, root, DLWS_DOMAIN=domain, DLWS_DNS_SERVERS=servers)
    assert done.stdout.split("\0") == [domain, *servers.split(), ""]
    assert not Path("pwned").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="the script needs root")
def test_dns_without_its_variables_does_nothing(root: Path) -> None:
    done = subprocess.run(
        ["bash", SCRIPTS / "dns.sh"],
        env={"PATH": os.environ["PATH"], "DLWS_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "nothing to do\n"), done.stderr
