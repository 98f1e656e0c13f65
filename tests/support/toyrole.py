"""A role of files alone, in the templates/ of a cluster: a program, its unit, a port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

MakeRole = Callable[..., Path]
CONFIG = """
cluster_name: atlas
mysql_password: hunter'2 $x
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  gpu01: {role: worker, private-ip: 10.1.0.11, type: gpu, rack: r1}
  npu01: {role: [worker, toy], private-ip: 10.1.0.12, archtype: arm64}
"""

GREETING = """it's "$HOME"; `id` \\ # % ü [a] {b}"""

TRUE = "systemctl show -p ActiveState toy | grep -qx ActiveState=active"

_YAML = """\
description: A toy
on: [worker]
vars:
  greeting: |-
    {{ machine.name }} of {{ config.cluster_name }}: GREETING
packages: {debian: [tree]}
users: [{name: toy, home: /srv/toy}]
directories: ["/srv/toy box 0750 toy:toy"]
files: {etc/toy/owned: "0640 root:toy"}
links: {usr/local/bin/toy-link: toy}
units: [toy, toyport.socket]
before_start:
  etc/toy.conf: |
    [ ! -e /root/block ] || echo >/root/blocked
    while [ -e /root/block ]; do sleep 0.1; done
after: {etc/toy*: restart toy}
validate: {etc/toy.conf: "grep -q ^greeting= {}"}
listens: [8099]
true_afterwards: ["TRUE"]
remove: {after: ["echo gone >/root/gone"]}
"""

_UNIT = """\
[Service]
ExecStartPre=/bin/sh -c 'echo started >>/run/toy.started'
ExecStart=/usr/local/bin/toy
[Install]
WantedBy=multi-user.target
"""

FILES = {
    "role.yaml": _YAML.replace("GREETING", GREETING).replace("TRUE", TRUE),
    "etc/toy.conf.j2": "greeting={{ greeting }}\n{% for node in nodes %}{{ node.name }} "
    "{{ node.address }}\n{% endfor %}",
    "etc/toy/owned": "owned\n",
    "etc/toy/password.j2": "{{ secret(config.mysql_password) }}\n",
    "usr/local/bin/toy": "#!/bin/sh\nexec sleep infinity\n",
    "etc/systemd/system/toy.service": _UNIT,
    "etc/systemd/system/toyport.socket": "[Socket]\nListenStream=8099\nAccept=yes\n"
    "[Install]\nWantedBy=sockets.target\n",
    "etc/systemd/system/toyport@.service": "[Service]\nExecStart=/bin/cat /etc/toy.conf\n"
    "StandardOutput=socket\n",
}


def write(directory: Path) -> Path:
    """Add the role to a cluster's directory; the role's folder."""
    folder = directory / "templates/nodes/toy"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if "/bin/" in name else 0o644)
    return folder


def replace(path: Path, old: str, new: str) -> None:
    """Change a text in a file; it has to be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
