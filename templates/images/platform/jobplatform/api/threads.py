"""One thread for each request: it finds who asks, opens the connection, and answers.

The framework itself goes to a thread and back for each dependency that waits for the database, and
once more for the answer. Six such steps took more of the processor than all statements together.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool


class Later:
    """What a dependency gives: found when a thread has begun, and left when the answer is known
    or has failed."""

    def __init__(self, find: Callable[[ExitStack], Any]) -> None:
        self.find = find


class Route(APIRoute):
    """A route whose endpoint gets what its `Later`s find."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _by_one_thread(endpoint), **options)


def _by_one_thread(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(endpoint)
    async def answer(**given: Any) -> Any:
        return await run_in_threadpool(_answer, endpoint, given)

    return answer


def _answer(endpoint: Callable[..., Any], given: dict[str, Any]) -> Any:
    with ExitStack() as opened:
        found = {name: value.find(opened) if isinstance(value, Later) else value
                 for name, value in given.items()}  # fmt: skip
        return endpoint(**found)
