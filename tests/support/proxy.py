"""A network between clients and their hosts: far apart, or one whose round trips are counted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar

Place = tuple[str, int]
SomeProxy = TypeVar("SomeProxy", bound="Proxy")


class Proxy:
    """Listens at some places and passes on to others, from a thread of its own."""

    def __init__(self, routes: Mapping[Place, Place]) -> None:
        self._routes = dict(routes)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self: SomeProxy) -> SomeProxy:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._servers = [
            await asyncio.start_server(self._serving(target), *place, backlog=1024)
            for place, target in self._routes.items()
        ]

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _serving(self, target: Place):  # type: ignore[no-untyped-def]
        async def serve(client: StreamReader, back: StreamWriter) -> None:
            with (
                contextlib.suppress(ConnectionError, asyncio.CancelledError),
                contextlib.closing(back),
            ):
                await self._join(target, client, back)

        return serve

    async def _join(self, target: Place, client: StreamReader, back: StreamWriter) -> None:
        raise NotImplementedError


class Distance(Proxy):
    """`round_trip` seconds lie between the two sides, at any bandwidth."""

    def __init__(self, routes: Mapping[Place, Place], round_trip: float) -> None:
        super().__init__(routes)
        self._round_trip = round_trip

    async def _join(self, target: Place, client: StreamReader, back: StreamWriter) -> None:
        # A connection takes a round trip, and the server hears half a one later that it has one.
        opened = self._loop.time() + self._round_trip
        await asyncio.sleep(1.5 * self._round_trip)
        server, there = await asyncio.open_connection(*target)
        with contextlib.closing(there):
            await asyncio.gather(self._carry(client, there, opened), self._carry(server, back, 0))

    async def _carry(self, source: StreamReader, sink: StreamWriter, opened: float) -> None:
        """One direction: each piece arrives half a round trip after it was sent."""
        under_way = asyncio.Queue[tuple[float, bytes]]()
        delivery = asyncio.create_task(self._deliver(under_way, sink))
        try:
            data = b"-"
            while data:
                data = await source.read(1 << 18)
                due = max(self._loop.time(), opened) + self._round_trip / 2
                under_way.put_nowait((due, data))
            await delivery
        finally:
            delivery.cancel()

    async def _deliver(
        self, under_way: asyncio.Queue[tuple[float, bytes]], sink: StreamWriter
    ) -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - self._loop.time())
            if not data:
                sink.close()
                return
            sink.write(data)


class Turns(Proxy):
    """Lets the two sides speak in turns, the client first, each until it has nothing more to say.

    `trips` counts the client's turns that got an answer: the round trips that it needs however long
    one takes (that of the connection itself apart). A side has said all when nothing of this
    process and its children runs; both sides are to be among those.
    """

    trips = 0

    async def _join(self, target: Place, client: StreamReader, back: StreamWriter) -> None:
        server, there = await asyncio.open_connection(*target)
        heard, asked = asyncio.Event(), False
        with contextlib.closing(there):
            near, far = _Side(client, there, heard), _Side(server, back, heard)
            while not (near.ended and far.ended):
                await heard.wait()
                heard.clear()
                asked = await near.has_said() or asked
                near.pass_on()
                if await far.has_said() and asked:
                    self.trips += 1
                    asked = False
                far.pass_on()


class _Side:
    """Holds back what one side says until its turn is over."""

    def __init__(self, source: StreamReader, sink: StreamWriter, heard: asyncio.Event) -> None:
        self._sink, self._said = sink, bytearray()
        self._listener = asyncio.create_task(self._listen(source, heard))

    async def _listen(self, source: StreamReader, heard: asyncio.Event) -> None:
        with contextlib.suppress(ConnectionError):  # which ends it as well as it may
            while data := await source.read(1 << 18):
                self._said += data
                heard.set()
        heard.set()

    @property
    def ended(self) -> bool:
        return self._listener.done()

    async def has_said(self) -> bool:
        """Once it has nothing to add: whether there is anything."""
        await _silence(threading.get_native_id())
        return bool(self._said)

    def pass_on(self) -> None:
        self._sink.write(bytes(self._said))
        self._said.clear()
        if self.ended:
            self._sink.close()


async def _silence(me: int) -> None:
    """Wait until nothing but the thread `me` runs here, three times in a row."""
    quiet = 0
    while quiet < 3:
        await asyncio.sleep(0.005)
        quiet = 0 if any(_busy(_family(os.getpid()), me)) else quiet + 1


def _family(root: int) -> set[int]:
    """A process and all that descend from it."""
    numbers = [name for name in os.listdir("/proc") if name.isdecimal()]
    parents = {int(name): int(stat[1]) for name in numbers if (stat := _stat(f"/proc/{name}"))}
    found: set[int] = set()
    new = {root}
    while new:
        found |= new
        new = {child for child, parent in parents.items() if parent in new} - found
    return found


def _busy(processes: Iterable[int], me: int) -> Iterator[int]:
    """The threads that run, or wait for a disk."""
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in map(int, os.listdir(f"/proc/{process}/task")):
                if thread != me and _stat(f"/proc/{process}/task/{thread}")[:1] in (["R"], ["D"]):
                    yield thread


def _stat(place: str) -> list[str]:
    """State, parent and what follows of a process or thread; empty when it has gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(place, "stat").read_text().rpartition(")")[2].split()
    return []
