from __future__ import annotations

from pathlib import Path

import pytest

from dlws.prepare.hosts import BEGIN, END, copied, is_ours, merged
from tests.support.deploy import Deploy
from tests.support.fakes import Make


@pytest.mark.usefixtures("open_umask")
def test_hosts_before_build_leaves_a_private_directory_too(deploy: Deploy) -> None:
    deploy("hosts")
    assert (deploy.directory / "deploy").stat().st_mode & 0o777 == 0o700


def test_their_lines_of_a_hosts_file_stay() -> None:
    ours = ["10.0.0.1 w1"]
    block = f"{BEGIN}\n10.0.0.1 w1\n{END}\n"
    assert merged("1.2.3.4 mine\n", ours) == f"1.2.3.4 mine\n{block}"
    assert merged("1.2.3.4 mine", ours) == f"1.2.3.4 mine\n{block}"
    again = merged(f"before\n{BEGIN}\nold\n{END}\nafter\n", ours)
    assert again == f"before\n{block}after\n"
    assert merged(again, ours) == again
    assert merged(f"before\n{BEGIN}\nold\n{END}", ours) == f"before\n{block}"


def test_a_block_without_its_end_loses_no_line() -> None:
    text = merged(f"before\n{BEGIN}\n1.2.3.4 mine\n", ["10.0.0.1 w1"])
    assert "1.2.3.4 mine\n" in text and text.count(END) == 1


def test_an_empty_hosts_file_knows_localhost() -> None:
    assert merged("", []).startswith("127.0.0.1 localhost\n::1 localhost")


THREE_API = ["10.1.0.1 atlas-api", "10.1.0.2 atlas-api", "10.1.0.3 atlas-api"]


def test_no_other_line_gives_the_name_of_the_api_servers() -> None:
    old = "127.0.0.1 localhost\n10.9.9.9 atlas-api # stale\n10.1.0.11 worker01\n"
    old_block = "# dlws api server: begin\n10.1.0.1 atlas-api\n# dlws api server: end\n"
    new = merged(old + old_block, ["10.1.0.11 w1", *THREE_API])
    assert new.startswith("127.0.0.1 localhost\n10.1.0.11 worker01\n" + BEGIN)
    assert new.count("atlas-api") == 3 and "api server" not in new
    assert merged(new, ["10.1.0.11 w1", *THREE_API]) == new


def test_the_order_of_the_api_servers_counts() -> None:
    turned = [*THREE_API[1:], THREE_API[0]]
    text = merged(merged("", THREE_API), turned)
    assert [line for line in text.splitlines() if "atlas" in line] == turned


def test_a_block_of_an_older_dlws_goes_where_it_has_an_end() -> None:
    begin, end = "# dlws api server: begin\n", "# dlws api server: end\n"
    gone = merged(f"1.1.1.1 a\n{begin}x\n{begin}y\n{end}2.2.2.2 b\n{end}{begin}3.3.3.3 c\n", [])
    assert gone == f"1.1.1.1 a\n2.2.2.2 b\n{end}{begin}3.3.3.3 c\n{BEGIN}\n{END}\n"
    many = begin * 300_000  # what takes the square of it would not come to an end here
    assert merged(many, []).startswith(many)


def test_a_line_ends_at_nothing_but_a_newline() -> None:
    line = "10.9.9.9 mine \u2028 10.1.0.9 \x0b x\n"
    assert merged(line, THREE_API).startswith(line)


SEED = """127.0.0.1       localhost

 192.168.3.2    atlas02
 192.168.3.2    atlas02.example.cn  atlas02-alias # both
"""


def test_lines_of_the_devboxs_file_are_added_and_the_nodes_own_stay() -> None:
    own = "127.0.0.1 localhost node7\n10.2.2.2 storage # theirs\n10.9.9.9 atlas02\n"
    text = copied(own, SEED)
    assert text == (
        "127.0.0.1 localhost node7\n10.2.2.2 storage # theirs\n"
        "192.168.3.2 atlas02\n192.168.3.2 atlas02.example.cn atlas02-alias\n"
    )
    assert copied(text, SEED) == text


def test_the_block_is_no_line_of_the_devboxs_file_nor_touched_in_the_nodes() -> None:
    block = f"{BEGIN}\n10.0.0.1 w1\n{END}\n"
    assert copied(f"a\n{block}10.9.9.9 x", f"{block}1.1.1.1 x\n") == f"a\n1.1.1.1 x\n{block}"
    assert copied(f"a\n{BEGIN}\nlost", "") == f"a\n{BEGIN}\nlost"
    assert copied("", "") == ""


def test_the_devboxs_file_is_known_by_whatever_way_leads_to_it(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make().cluster
    (cluster.deploy / "etc").mkdir(parents=True)
    path = cluster.deploy / "etc/hosts"
    path.touch()
    (tmp_path / "link").symlink_to(cluster.deploy)
    monkeypatch.chdir(cluster.directory)
    for way in (path, Path("./deploy/etc/hosts"), tmp_path / "link/etc/hosts"):
        assert is_ours(cluster, way, "/etc/hosts")
    assert not is_ours(cluster, path, "/etc/hosts.new")
