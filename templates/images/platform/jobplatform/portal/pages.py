"""Pages from templates. Every value is text: none of it is read as markup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobplatform.portal.reasons import sentence
from jobplatform.portal.visitor import VISIT, Visitor, keep
from jobplatform.portal.words import speaker

PLACE = Path(__file__).parent / "pages"
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PAGES = Environment(
    loader=FileSystemLoader(PLACE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, auto_reload=False,
)  # fmt: skip


def page(
    one: Visitor, name: str, status: int = 200, me: Mapping[str, Any] | None = None, **values: Any
) -> Response:
    """A page in the visitor's language; `me` is None where the API was not asked who it is."""
    shown = {**values, "_": speaker(one.language), "visitor": one, "me": me}
    answer = HTMLResponse(_PAGES.get_template(name).render(shown), status)
    answer.headers["Content-Language"] = one.language
    if one.new:
        keep(answer, VISIT, one.visit)
    return answer


def go(place: str) -> Response:
    """To another page of ours, by GET. The place is one of ours: see `visitor.here`."""
    return RedirectResponse(place, 303)


def moment(milliseconds: int | None, layout: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime(layout)


def printed(text: str) -> str:
    """What a program printed, without what steers a terminal."""
    return _UNSEEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


_PAGES.filters.update(moment=moment, printed=printed, told=sentence)
