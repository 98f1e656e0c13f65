"""deploy.py with a table of ten steps of its own: each runs work.sh of the cluster's directory."""

from __future__ import annotations

from collections.abc import Callable

from dlws.cli import main
from dlws.install import steps
from dlws.install.step import Step
from dlws.scripts import run as scripts
from dlws.scripts.script import find
from dlws.session import Session

STEPS = 10


def _work(number: int) -> Callable[[Session], None]:
    def run(session: Session) -> None:
        found = find(str(session.options.directory / "work.sh"), (str(number),))
        scripts.everywhere(session.cluster, session.cluster.select(), found)

    return run


if __name__ == "__main__":
    numbers = range(1, STEPS + 1)
    steps.STEPS = tuple(Step(f"work{n}", f"Part {n}", _work(n)) for n in numbers)  # type: ignore[assignment]
    main()
