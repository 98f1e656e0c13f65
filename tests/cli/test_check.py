from __future__ import annotations

import json
import re

from tests.support.deploy import Deploy
from tests.support.sshd import free_port


def test_a_real_ssh_server_that_stands_in_for_all_nodes(deploy: Deploy) -> None:
    told = json.loads(deploy("check", "--output", "json", code=5).stdout)
    identity = [
        one for node in told["nodes"] for one in node["findings"] if one["check"] == "identity"
    ]
    assert {one["node"] for one in identity} == {"infra1", "w1", "w2", "w3"}
    assert {one["what"] for one in identity} == {"infra1,w[1-3] are one machine"}


def test_unreachable_nodes_are_rows(deploy: Deploy) -> None:
    config = deploy.directory / "config.yaml"
    config.write_text(re.sub(r"port: \d+", f"port: {free_port()}", config.read_text()))
    done = deploy("check", code=5)
    failures = [line for line in done.stdout.splitlines() if line.startswith("failure")]
    assert [line.split()[:6] for line in failures] == [
        ["failure", "infra1,w[1-3]", "ssh", "it", "refuses", "connections"]
    ]
    assert "4 failures: infra1,w[1-3]" in done.stderr


def test_a_pattern_that_fits_nothing_is_a_usage_error(deploy: Deploy) -> None:
    assert "no node" in deploy("check", "nobody", code=2).stderr
