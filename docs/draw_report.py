"""Draw a run as its report shows it: draw_report.py DEPLOY_DIRECTORY FILE.svg [RUN]."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from dlws.core.nodeset import counted
from dlws.runs import journal
from dlws.runs.records import records
from dlws.runs.report import timeline

LEFT, WIDTH, ROW, TOP = 230, 860, 30, 58
COLOURS = {"ok": "#2a8a4a", "failed": "#c0392b"}
ODD = "#b8860b"


def main() -> None:
    """Read the run (the last one where none is named), and write the picture."""
    place = journal.find(Path(sys.argv[1]), *sys.argv[3:])
    run, found = journal.read(place), list(records(place))
    lanes = [timeline.here(found), *timeline.folded(timeline.lanes(run, found))]
    seconds = timeline.moment(found[-1]) - timeline.moment(found[0])
    height = TOP + ROW * len(lanes) + 10
    body = [_text(16, 24, f"{' '.join(run.argv)}: {run.outcome}", "bold")]
    body += [_mark(left, time, height) for left, time in timeline.axis(seconds)]
    body += [part for row, lane in enumerate(lanes) for part in _lane(lane, TOP + ROW * row)]
    Path(sys.argv[2]).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 30} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _lane(lane: timeline.Lane, top: int) -> list[str]:
    name = lane.nodes[0] if len(lane.nodes) == 1 else counted(lane.nodes)
    parts = [_text(16, top + 14, name), _box(LEFT, top, WIDTH, "#eee", "")]
    for bar in lane.bars:
        left, width = LEFT + WIDTH * bar.left / 100, max(WIDTH * bar.width / 100, 2)
        told = f"{bar.title}: {bar.seconds} s"
        parts.append(_box(left, top, width - 0.8, COLOURS.get(bar.state, ODD), told))
    return parts


def _mark(left: float, time: str, height: int) -> str:
    at = LEFT + WIDTH * left / 100
    line = f'<path d="M{at:.1f} 36V{height - 6}" stroke="#ccc"/>'
    return line + _text(at + 3, 46, time, "normal", "#666")


def _box(left: float, top: int, width: float, colour: str, told: str) -> str:
    title = f"<title>{escape(told)}</title>" if told else ""
    place = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="20"'
    return f'<rect {place} fill="{colour}">{title}</rect>'


def _text(x: float, y: int, text: str, weight: str = "normal", colour: str = "#222") -> str:
    style = f'font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y}" {style}>{escape(text)}</text>'


if __name__ == "__main__":
    main()
