"""Characters that look like those of YAML: each is named with its line."""

from __future__ import annotations

import pytest

from dlws.config.reading import oddchars
from tests.support.configs import look, minimal

BASE = minimal("")


@pytest.mark.parametrize(("text", "character", "line"), [
    ("ssh:\n  port\uff1a22\n  user: bob\n", "a full-width colon (U+FF1A)", "port\uff1a22"),
    ("webuiport\uff1a3080\n", "a full-width colon (U+FF1A)", "webuiport\uff1a3080"),
    ("ssh: {port\uff1a22}\n", "a full-width colon (U+FF1A)", "ssh: {port\uff1a22}"),
    ("ssh:\n\u00a0\u00a0port: 22\n\u00a0 user: x\n", "a no-break space (U+00A0)", "port: 22"),
    ("ssh:\n  port:\u00a022\n  user: bob\n", "a no-break space (U+00A0)", "port:\u00a022"),
    ("ssh:\n  user: bob\u00a0\n", "a no-break space (U+00A0)", "user: bob"),
    ("ssh:\n  user\u00a0: bob\n", "a no-break space (U+00A0)", "user\u00a0: bob"),
    ("dns_server:\n\u3000onpremise: 8.8.8.8\n", "an ideographic space (U+3000)", "onpremise"),
    ("kubemarks: [rack\uff0c b]\nssh: {\n", "a full-width comma (U+FF0C)", "[rack\uff0c b]"),
    ("kubemarks:\n  \u2013 rack\n  - sku\n", "an en dash (U+2013)", "\u2013 rack"),
])  # fmt: skip
def test_an_odd_character_is_named_with_its_line(text: str, character: str, line: str) -> None:
    problems = [one for one in look(BASE + text).problems if one.level == "error"]
    named = [one for one in problems if character in f"{one.message} {one.cure}"]
    assert named, [str(one) for one in problems]
    assert line.strip() in named[0].source or line.strip() in named[0].message


@pytest.mark.parametrize("text", [
    "# \u6807\u9898\uff1a\u8fd9\u662f\u6ce8\u91ca\n", "ssh: {user: bob} # \u6ce8\uff1ax\n",
    'admin_username: bob\nnotes: "a\uff1ab"\n',
    "notes: |\n  \u6807\u9898\uff1ax\n  \u00a0y\n", "notes: \u6ce8\u610f\uff1aa\u00a0b\n",
])  # fmt: skip
def test_where_they_are_meant_nothing_is_said(text: str) -> None:
    found = look(BASE + text)
    assert not [one for one in found.problems if "U+" in f"{one.message}{one.cure}"]


@pytest.mark.parametrize("before", ["[" * 50_000, "a" * 50_000, "{" + " " * 50_000, ", " * 25_000])
def test_a_line_of_any_length_is_looked_through_and_what_is_odd_in_it_is_found(before: str) -> None:
    found = oddchars.before([f"{before} , user\uff1abob"], 1)
    assert found is not None and found[1] == "\uff1a"
