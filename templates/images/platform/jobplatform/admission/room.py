"""Room on nodes: whether a gang fits, where best, and whose leaving would make it fit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from jobplatform.admission.snapshot import Amount, Job, Node, Snapshot

Rooms = dict[str, Amount]


class Room:
    """What is free now, and what is free once jobs that leave are gone. It shrinks during a pass,
    so that a shape that did not fit once need not be tried again."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.nodes = {node.name: node for node in sorted(snapshot.nodes, key=lambda n: n.name)}
        self.free: Rooms = {n.name: n.size - n.taken for n in self.nodes.values() if n.ready}
        self.later: Rooms = defaultdict(Amount)
        self._usable: dict[str, list[Node]] = {}
        for job in snapshot.jobs:
            for name, amount in self._used(job):
                self.free[name] -= amount
                if job.state == "leaving":
                    self.later[name] += amount

    def _used(self, job: Job) -> Iterator[tuple[str, Amount]]:
        if job.state in {"placed", "leaving"}:
            yield from (
                (name, job.each.times(n)) for name, n in Counter(job.nodes).items()
                if name in self.free
            )  # fmt: skip

    def usable(self, device: str) -> list[Node]:
        """Nodes that have the devices; a job without devices can use each node."""
        if device not in self._usable:
            found = [node for node in self.nodes.values() if device in {"", node.device}]
            self._usable[device] = found
        return self._usable[device]

    def place(self, job: Job) -> tuple[str, ...]:
        """The nodes of a gang's workers, taken out of what is free; nothing where it fits not."""
        rooms = {n.name: self.free[n.name] for n in self.usable(job.device) if n.name in self.free}
        chosen = self._choose(job, rooms)
        for name in chosen:
            self.free[name] -= job.each
        return chosen

    def _choose(self, job: Job, rooms: Mapping[str, Amount]) -> tuple[str, ...]:
        """Within the one rack that is filled best, or else anywhere."""
        racks: dict[str, dict[str, Amount]] = defaultdict(dict)
        for name, room in rooms.items():
            racks[self.nodes[name].rack][name] = room
        within = []
        if len(racks) > 1 and job.workers > 1:
            for rack, inside in racks.items():
                count = capacity(inside.values(), job.each)
                if rack and count >= job.workers:
                    within.append((count, rack))
        return self._best(job, racks[min(within)[1]] if within else rooms)

    def _best(self, job: Job, rooms: Mapping[str, Amount]) -> tuple[str, ...]:
        """Fewest nodes where there are several workers, and those that it fills best."""

        def order(name: str) -> tuple[bool, int, int, int, str]:
            held = min(rooms[name].holds(job.each), job.workers)
            left = rooms[name] - job.each.times(held)
            idle = bool(self.nodes[name].device) and not job.device
            return (idle, -held, left.devices, left.cpu, name)

        chosen: list[str] = []
        for name in sorted((name for name in rooms if rooms[name].holds(job.each)), key=order):
            chosen += [name] * min(rooms[name].holds(job.each), job.workers - len(chosen))
            if len(chosen) == job.workers:
                return tuple(chosen)
        return ()

    def claim(self, job: Job) -> bool:
        """Whether it fits once all that leave are gone; if so, the room is kept for it."""
        both = self._with_later(job.device)
        chosen = self._choose(job, both)
        for name in chosen:
            self._keep(name, job.each)
        return bool(chosen)

    def _with_later(self, device: str) -> Rooms:
        return {n.name: self.free[n.name] + self.later[n.name]
                for n in self.usable(device) if n.name in self.free}  # fmt: skip

    def _keep(self, name: str, each: Amount) -> None:
        """Take from what is free first; the rest from what comes later."""
        free, later = self.free[name], self.later[name]
        now = Amount(*(max(min(have, need), 0) for have, need in _pairs(free, each)))
        self.free[name] = free - now
        self.later[name] = later - (each - now)

    def reserve(self, job: Job) -> None:
        """Keep what is free on the nodes where most of it is, for a job that has waited long."""
        left = job.workers
        for node in sorted(self.usable(job.device), key=lambda n: (-self._part(n), n.name)):
            if node.name in self.free:
                count = min(left, (node.size - node.taken).holds(job.each))
                kept = job.each.times(count)
                free = self.free[node.name]
                self.free[node.name] = Amount(
                    *(have - max(min(have, need), 0) for have, need in _pairs(free, kept))
                )
                left -= count

    def _part(self, node: Node) -> int:
        free = self.free.get(node.name, Amount())
        return free.devices if node.device else free.cpu

    def victims(self, job: Job, preemptible: Sequence[Job]) -> list[Job]:
        """The jobs that have to leave for it, newest first and as few as may be; or none."""
        rooms, chosen = self._with_later(job.device), list[Job]()
        fits = capacity(rooms.values(), job.each)
        near = (one for one in preemptible if not rooms.keys().isdisjoint(one.nodes))
        for one in near:
            if fits >= job.workers:
                break
            fits += _move(rooms, one, 1, job.each)
            chosen.append(one)
        if fits < job.workers:
            return []
        for one in sorted(chosen, key=lambda v: (-v.workers * v.each.devices, v.id)):
            less = _move(rooms, one, -1, job.each)
            if fits + less >= job.workers:
                chosen.remove(one)
                fits += less
            else:
                _move(rooms, one, 1, job.each)
        return chosen

    def leave(self, job: Job) -> None:
        for name in job.nodes:
            if name in self.free:
                self.later[name] += job.each


def capacity(rooms: Iterable[Amount], each: Amount) -> int:
    """How many workers fit: exact, as all workers of a gang are alike."""
    return sum(room.holds(each) for room in rooms)


def _move(rooms: Rooms, job: Job, sign: int, each: Amount) -> int:
    """How many more workers fit, where a job's room is given back (1) or taken again (-1)."""
    touched = {name for name in job.nodes if name in rooms}
    before = sum(rooms[name].holds(each) for name in touched)
    for name in job.nodes:
        if name in touched:
            rooms[name] += job.each.times(sign)
    return sum(rooms[name].holds(each) for name in touched) - before


def _pairs(one: Amount, other: Amount) -> list[tuple[int, int]]:
    return [(one.devices, other.devices), (one.cpu, other.cpu), (one.memory, other.memory),
            (one.pods, other.pods)]  # fmt: skip
