"""role.yaml: the documentation names all of it, and its example is one."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from dlws.roles import folder
from dlws.roles.model import RoleFile
from tests.support import ROOT
from tests.support.toyrole import MakeRole

PAGE = (ROOT / "docs/roles.md").read_text()


def keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_the_documentations_example(make_role: MakeRole, tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    make_role(example, {"etc/chrony/chrony.conf.j2": ""})
    says = folder.load(tmp_path, "toy").says
    assert says.validate_ == {"etc/chrony/chrony.conf": "chronyd -p -f {}"}
    assert says.after == {"etc/chrony/*": ["restart chrony"]}


def test_the_documentation_names_every_key() -> None:
    assert {key for key in keys(RoleFile) if not re.search(rf"\b{key}\b", PAGE)} == set()
