"""The files of one configuration as one mapping, and where each part of it was written."""

from __future__ import annotations

from pathlib import Path as Directory
from typing import Any

from dlws.config.problems import Level, Path, Problem, Spot, dotted
from dlws.config.reading.source import Document
from dlws.core.merge import merged


class Sources:
    """Documents, the first winning over the next; `written` says how a path is spelled in them."""

    def __init__(self, documents: list[Document], directory: Directory = Directory()) -> None:
        self.documents, self.directory = documents, directory
        self.problems: list[Problem] = [p for d in documents for p in d.problems]
        self.written: dict[Path, Path] = {}

    def merged(self) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for document in reversed(self.documents):
            data = merged(data, document.data)
        return data

    def as_written(self, path: Path) -> Path:
        for length in range(len(path), 0, -1):
            if path[:length] in self.written:
                return self.written[path[:length]] + path[length:]
        return path

    def locate(self, path: Path, key: bool = False) -> tuple[Document, Spot]:
        """The file and place of a path, or of the nearest thing around it that was written."""
        written = self.as_written(path)
        for length in range(len(written), 0, -1):
            for document in self.documents:
                spot = document.find(written[:length], key or length < len(written))
                if spot is not None:
                    return document, spot
        return self.documents[0], Spot(1, 1)

    def rank(self, path: Path) -> int:
        """Which document has a path: the lower, the more it counts."""
        written = self.as_written(path)
        has = [document.find(written) is not None for document in self.documents]
        return has.index(True) if True in has else len(has)

    def is_written(self, path: Path) -> bool:
        return self.rank(path) < len(self.documents)

    def report(
        self,
        level: Level,
        path: Path,
        message: str,
        cure: str,
        key: bool = False,
    ) -> None:
        document, spot = self.locate(path, key)
        name = dotted(self.as_written(path))
        problem = document.problem(
            level, spot, f"{name}: {message}" if name else message, cure, name
        )
        self.problems.append(problem.without_value() if key else problem)

    def error(self, path: Path, message: str, cure: str, key: bool = False) -> None:
        self.report("error", path, message, cure, key)

    def warn(self, path: Path, message: str, cure: str, key: bool = False) -> None:
        self.report("warning", path, message, cure, key)
