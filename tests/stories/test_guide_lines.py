"""The lists of command lines that the stories follow hold every line of the documents.

The documents lie beside the checkout, and are no part of it: without them nothing is compared.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.guide import LINES, lines

SEEDS = ROOT.parent / "shared/seeds"
BY_HAND = {
    "python3 devenv.py": "tests/test_devenv.py", "python3 devenv_arm64.py": "tests/test_devenv.py",
    "./scripts/prepare_ubuntu_dev.sh": "tests/node_scripts",
    "vim /etc/docker/daemon.json": "prepare_ubuntu.sh writes it (dlws/prepare/runtime.py)",
    "docker login": "to the cluster's own registry, as no other is in reach",
    "mysql -uroot -p": "db init",
}  # fmt: skip
"""What is typed there in another way, and what has it done here."""
OURS = ("docker login $REGISTRY", "echo '/mnt/local ")
"""Lines in the place of such: with a registry that is in reach, and for a file that is edited."""
_WORDS = (
    "./deploy.py ", "./az_tools.py ", "./step_by_step.sh ", "./scripts/", "sudo ", "docker ",
    "nvidia-docker ", "mkdir ", "apt ", "echo ", "systemctl ", "chmod ", "cp ", "cat ",
    "cd deploy", "python3 ", "vim ", "mysql -",
)  # fmt: skip
_BEGINS = "|".join(map(re.escape, _WORDS))
_COMMAND = re.compile(
    rf"(?:^|`|\uff1a)[ \t>]*(?:\d+\. *)?(?P<line>(?:{_BEGINS})[^`\n]*)", re.MULTILINE
)
_SPOKEN = re.compile(r"[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]")
"""A sentence, not a command."""


def document(number: str) -> str:
    found = sorted(SEEDS.glob(f"{number}_*.txt"))
    if not found:
        pytest.skip("the documents are not beside this checkout")
    return found[0].read_text()


def commands(text: str) -> list[str]:
    found = [one["line"].strip() for one in _COMMAND.finditer(text)]
    return [line for line in found if not _SPOKEN.search(line)]


def test_the_guide_for_machines_of_ones_own() -> None:
    text = document("001").replace("sigsus.cn", "clusters.example")
    found = set(commands(text))
    assert len(found) > 70
    listed = {one.strip(): where for where, line in lines(LINES.read_text())
              for one in line.splitlines()}  # fmt: skip
    assert found - set(listed) == set(BY_HAND)
    whole = {line.strip() for line in text.splitlines()}
    typed = {line for line, where in listed.items() if not where.startswith("ours")}
    made_up = typed - found - whole
    assert {line for line in made_up if not line.startswith(OURS)} == set()


def test_the_guide_for_azure() -> None:
    given = (Path(__file__).parents[1] / "support/seed000.txt").read_text()
    listed = {re.sub(r"^(?:try|not): | -- .*$", "", line) for line in given.splitlines()}
    found = {line for line in commands(document("000")) if line.startswith("./")}
    filled_in = {line for line in found if "<" in line or "[" in line}
    assert {line.split()[0] for line in filled_in} == {"./deploy.py", "./step_by_step.sh"}
    assert len(found) > 40 and found - filled_in - listed == set()
