"""The names of a cluster, as templates/images/cluster-dns answers them."""

from __future__ import annotations

import http.server
import json
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dlws.core import resources
from tests.support.waiting import wait_until

PLACE = str(resources.templates() / "images/cluster-dns")
Thing = dict[str, Any]


def module(name: str) -> Any:
    """A module of the image, which is not on the path of dlws."""
    sys.path.insert(0, PLACE)
    try:
        return import_module(name)
    finally:
        sys.path.remove(PLACE)


zone, wire, serve = module("zone"), module("wire"), module("serve")


def service(name: str, address: str = "10.96.0.20", space: str = "shop", **spec: Any) -> Thing:
    ports = [{"port": 80, "name": "http", "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    return {"metadata": {"name": name, "namespace": space},
            "spec": {"clusterIP": address, "ports": ports, **spec}}  # fmt: skip


def endpoints(name: str, *addresses: Thing, space: str = "shop") -> Thing:
    ports = [{"port": 8080, "name": "http", "protocol": "TCP"}]
    return {"metadata": {"name": name, "namespace": space},
            "subsets": [{"addresses": list(addresses), "ports": ports,
                         "notReadyAddresses": [{"ip": "10.244.9.9"}]}]}  # fmt: skip


SERVICES = [
    service("web"),
    service("both", "10.96.0.21", clusterIPs=["10.96.0.21", "fd00::21"]),
    service("db", "None"),
    service("Old", "", type="ExternalName", externalName="old.example.org."),
    service("empty", "None", space="other"),
]
ENDPOINTS = [
    endpoints("web", {"ip": "10.244.1.5"}),
    endpoints("db", {"ip": "10.244.1.6", "hostname": "db-0"}, {"ip": "10.244.2.7"},
              {"ip": "fd00::7"}),
]  # fmt: skip
ZONE = zone.build("cluster.local", SERVICES, ENDPOINTS)


def told(name: str, kind: str = "A") -> list[str]:
    found = ZONE.answer(name, kind)
    assert found.ours
    return [record.data for record in found.records] if found.exists else ["no such name"]


@pytest.mark.parametrize(("name", "kind", "expected"), [
    ("web.shop.svc.cluster.local", "A", ["10.96.0.20"]),
    ("WEB.shop.SVC.cluster.local", "A", ["10.96.0.20"]),
    ("web.shop.svc.cluster.local", "AAAA", []),
    ("both.shop.svc.cluster.local", "AAAA", ["fd00::21"]),
    ("10-244-1-5.web.shop.svc.cluster.local", "A", ["10.244.1.5"]),
    ("db.shop.svc.cluster.local", "A", ["10.244.1.6", "10.244.2.7"]),
    ("db.shop.svc.cluster.local", "AAAA", ["fd00::7"]),
    ("db-0.db.shop.svc.cluster.local", "A", ["10.244.1.6"]),
    ("10-244-2-7.db.shop.svc.cluster.local", "A", ["10.244.2.7"]),
    ("10-244-1-6.db.shop.svc.cluster.local", "A", ["no such name"]),
    ("10-244-9-9.db.shop.svc.cluster.local", "A", ["no such name"]),
    ("old.shop.svc.cluster.local", "A", ["old.example.org"]),
    ("old.shop.svc.cluster.local", "CNAME", ["old.example.org"]),
    ("web.other.svc.cluster.local", "A", ["no such name"]),
    ("empty.other.svc.cluster.local", "A", ["no such name"]),
    ("shop.svc.cluster.local", "A", []), ("svc.cluster.local", "A", []),
    ("nothing.svc.cluster.local", "A", ["no such name"]), ("cluster.local", "A", []),
    ("_http._tcp.web.shop.svc.cluster.local", "SRV", ["0 100 80 web.shop.svc.cluster.local"]),
    ("web.shop.svc.cluster.local", "SRV",
     ["0 100 80 web.shop.svc.cluster.local", "0 100 53 web.shop.svc.cluster.local"]),
    ("_http._tcp.db.shop.svc.cluster.local", "SRV",
     ["0 100 8080 db-0.db.shop.svc.cluster.local",
      "0 100 8080 10-244-2-7.db.shop.svc.cluster.local",
      "0 100 8080 fd00--7.db.shop.svc.cluster.local"]),
    ("_http._udp.web.shop.svc.cluster.local", "SRV", ["no such name"]),
    ("10-1-2-3.shop.pod.cluster.local", "A", ["10.1.2.3"]),
    ("fd00--7.shop.pod.cluster.local", "AAAA", ["fd00::7"]),
    ("10-1-2-300.shop.pod.cluster.local", "A", ["no such name"]),
    ("pod.shop.pod.cluster.local", "A", ["no such name"]),
    ("20.0.96.10.in-addr.arpa", "PTR", ["web.shop.svc.cluster.local"]),
    ("6.1.244.10.in-addr.arpa", "PTR", ["db-0.db.shop.svc.cluster.local"]),
    ("dns-version.cluster.local", "TXT", ["1.1.0"]),
])  # fmt: skip
def test_names(name: str, kind: str, expected: list[str]) -> None:
    assert told(name, kind) == expected


def test_an_ipv6_address_has_its_name() -> None:
    name = f"{'.'.join('fd000000000000000000000000000021'[::-1])}.ip6.arpa"
    assert told(name, "PTR") == ["both.shop.svc.cluster.local"]


@pytest.mark.parametrize("name", [
    "example.org", "xcluster.local", "9.9.9.10.in-addr.arpa", "10.in-addr.arpa", "1.ip6.arpa",
    "5.1.244.10.in-addr.arpa",  # of a service that has an address of its own
])  # fmt: skip
def test_what_is_not_the_clusters_is_for_others(name: str) -> None:
    assert not ZONE.answer(name, "A").ours


def query(name: str, kind: int = 1, size: int = 0) -> bytes:
    option = struct.pack("!BHHIH", 0, 41, size, 0, 0) if size else b""
    head = struct.pack("!6H", 7, 0x0100, 1, 0, 0, bool(option))
    return head + bytes(wire.encoded(name)) + struct.pack("!2H", kind, 1) + option


def counts(message: bytes) -> tuple[int, ...]:
    """The answer's code, whether it is cut, and how many records each part of it has."""
    _, flags, _, *parts = struct.unpack_from("!6H", message)
    return (flags & 15, bool(flags & 0x0200), *parts)


def test_an_answer_keeps_the_question_and_its_capitals() -> None:
    asked = query("Web.Shop.svc.cluster.local")
    answer = wire.reply(asked, ZONE)
    assert answer[:2] == asked[:2] and answer[12 : len(asked)] == asked[12:]
    assert answer[len(asked) :] == (
        b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 30, 4) + bytes([10, 96, 0, 20])
    )


@pytest.mark.parametrize(("message", "expected"), [
    (query("db.shop.svc.cluster.local"), (0, False, 2, 0, 0)),
    (query("db.shop.svc.cluster.local", 33), (0, False, 3, 0, 3)),
    (query("db.shop.svc.cluster.local", 33, 1232), (0, False, 3, 0, 4)),
    (query("web.shop.svc.cluster.local", 28), (0, False, 0, 1, 0)),
    (query("web.shop.svc.cluster.local", 65), (0, False, 0, 1, 0)),
    (query("nothing.shop.svc.cluster.local"), (3, False, 0, 1, 0)),
    (query("example.org"), (5, False, 0, 0, 0)),
    (query("cluster.local", 6), (0, False, 1, 0, 0)),
    (query("dns-version.cluster.local", 16), (0, False, 1, 0, 0)),
])  # fmt: skip
def test_what_an_answer_consists_of(message: bytes, expected: tuple[int, ...]) -> None:
    assert counts(wire.reply(message, ZONE)) == expected


def test_an_answer_that_is_too_long_is_cut_but_not_on_a_stream() -> None:
    rows = [{"ip": f"10.244.{n // 250}.{n % 250 + 1}"} for n in range(200)]
    many = zone.build("cluster.local", [service("db", "None")], [endpoints("db", *rows)])
    asked = query("db.shop.svc.cluster.local", size=4096)
    cut = wire.reply(asked, many)
    assert len(cut) <= 1232 and counts(cut)[:3] == (0, True, 0)
    assert counts(wire.reply(asked, many, stream=True))[:3] == (0, False, 200)
    assert len(wire.reply(query("db.shop.svc.cluster.local"), many)) <= 512


@pytest.mark.parametrize("message", [
    b"\0\7" + bytes(10), query("a.b")[:15], query("a.b")[:-1], b"\0\7" + b"\xff" * 40,
    query("a.b")[:12] + b"\xc0\x0c" + query("a.b")[-4:], query("a.b")[:13] + b"\xff" + bytes(20),
])  # fmt: skip
def test_what_is_no_question_is_answered_as_such(message: bytes) -> None:
    answer = wire.reply(message, ZONE)
    assert answer[:2] == message[:2] and counts(answer) == (1, False, 0, 0, 0)


def test_less_than_a_message_is_not_answered() -> None:
    assert [wire.reply(message, ZONE) for message in (b"", b"\0" * 11)] == [b"", b""]


def test_an_alias_is_answered_with_the_addresses_that_it_leads_to() -> None:
    asked = query("old.shop.svc.cluster.local")
    assert wire.alias(asked, ZONE) == ("old.example.org", "A")
    assert wire.alias(query("old.shop.svc.cluster.local", 5), ZONE) == ("", "")
    assert wire.alias(query("web.shop.svc.cluster.local"), ZONE) == ("", "")
    # Another server's answer: an alias of its own, and an address of that.
    theirs = wire.query(9, "old.example.org", "A")
    chain = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 60, 4) + b"\1x\xc0\x10"
    address = b"\1x\xc0\x10" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 1])
    theirs = theirs[:6] + struct.pack("!H", 2) + theirs[8:] + chain + address
    known = wire.addresses(theirs, "old.example.org")
    assert [(one.name, one.data) for one in known] == [("old.example.org", "192.0.2.1")]
    assert counts(wire.reply(asked, ZONE, known=known)) == (0, False, 2, 0, 0)
    assert [wire.addresses(theirs[:end], "x") for end in range(len(theirs))] == [[]] * len(theirs)


def test_an_alias_whose_end_is_unknown_is_not_answered_for_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "resolv.conf").write_text("")
    monkeypatch.setattr(serve, "RESOLV", tmp_path / "resolv.conf")
    names = serve.Names(serve.Api("http://127.0.0.1:1"), "cluster.local")
    names.zone = ZONE
    asked = query("old.shop.svc.cluster.local")
    assert serve.answer(names, asked, stream=False) == b""
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    told = [wire.query(1, "old.example.org", "A"), asked[:3] + b"\x02" + asked[4:], b""]
    monkeypatch.setattr(serve, "_asked", lambda server, message: told.pop())
    assert [serve.answer(names, asked, stream=False) for _ in range(2)] == [b"", b""]
    assert counts(serve.answer(names, asked, stream=False)) == (0, False, 1, 0, 0)
    assert counts(serve.answer(names, query("web.shop.svc.cluster.local"), stream=False))[2] == 1


class FakeApi(http.server.BaseHTTPRequestHandler):
    """Lists what there is, and tells the changes that a test makes on its watches."""

    lists: dict[str, list[Thing]]
    events: dict[str, list[Thing]]
    more: threading.Condition

    def do_GET(self) -> None:
        kind = self.path.partition("?")[0].rpartition("/")[2]
        self.send_response(200)
        self.end_headers()
        if "watch=1" not in self.path:
            found = {"items": self.lists[kind], "metadata": {"resourceVersion": "1"}}
            self.wfile.write(json.dumps(found).encode())
            return
        with self.more:
            self.more.wait_for(lambda: bool(self.events[kind]), timeout=1)
            for event in self.events[kind]:
                self.wfile.write(json.dumps(event).encode() + b"\n")
            self.events[kind].clear()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def api() -> Iterator[tuple[type[FakeApi], str]]:
    made: Any = type("A", (FakeApi,), {
        "lists": {"services": [service("web")], "endpoints": []},
        "events": {"services": [], "endpoints": []}, "more": threading.Condition(),
    })  # fmt: skip
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), made)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_follows_the_api_server_and_answers_over_udp_and_tcp(
    api: tuple[Any, str], tmp_path: Path
) -> None:
    fake, url = api
    names = serve.Names(serve.Api(url, tmp_path), "cluster.local")
    running = serve.servers(names, 0, {"health": 0})
    for one in running:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    threading.Thread(target=names.run, daemon=True).start()

    def asked(name: str) -> tuple[int, ...]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            client.sendto(query(name), running[0].server_address)
            return counts(client.recv(4096))

    try:
        wait_until(lambda: names.ready)
        assert asked("web.shop.svc.cluster.local") == (0, False, 1, 0, 0)
        assert asked("new.shop.svc.cluster.local") == (3, False, 0, 1, 0)
        with socket.create_connection(running[1].server_address, timeout=20) as client:
            client.sendall(struct.pack("!H", len(query("cluster.local", 6))))
            client.sendall(query("cluster.local", 6))
            stream = client.makefile("rb")
            (size,) = struct.unpack("!H", stream.read(2))
            assert counts(stream.read(size))[2] == 1
        with fake.more:
            version = {"resourceVersion": "2"}
            new, old = service("new", "10.96.0.9"), service("web")
            new["metadata"] |= version
            old["metadata"] |= version
            fake.events["services"] += [{"type": "ADDED", "object": new},
                                        {"type": "DELETED", "object": old}]  # fmt: skip
            fake.more.notify_all()
        wait_until(lambda: asked("new.shop.svc.cluster.local") == (0, False, 1, 0, 0))
        assert asked("web.shop.svc.cluster.local") == (3, False, 0, 1, 0)
    finally:
        names.ended.set()
        for one in running:
            one.shutdown()
            one.server_close()


def test_the_name_server_above_is_the_first_of_resolv_conf() -> None:
    assert serve.upstream("search a\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n") == "10.0.0.2"
    assert serve.upstream("# nameserver 1\n") == ""
