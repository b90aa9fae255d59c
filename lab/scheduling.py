"""A processor, tasks that want it, and a policy that says who gets it: a simulator in whole ticks.

A task runs, waits for a device, or asks a server. A server is a task, too: it serves one request at
a time, and as urgently as the one whose request that is. With inheritance it is as urgent as the
most urgent of all who wait for it: else a task that is less urgent than who waits, but more than
who is served, keeps both waiting (priority inversion).
"""

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from kernels.scheduling import Policy, Task

LONGEST: Final = 100_000
"""Ticks after which a simulation ends all the same."""


class Run(NamedTuple):
    """Use the processor for some ticks."""

    ticks: int


class Wait(NamedTuple):
    """Wait for a device for some ticks."""

    ticks: int


class Ask(NamedTuple):
    """Ask a server, and wait for the answer, for which it needs the processor for some ticks."""

    server: str
    ticks: int


Step = Run | Wait | Ask


class Program(NamedTuple):
    """What a task does.

    Attributes:
        name: a letter or two, for the chart.
        arrival: the tick at which it comes.
        steps: what it does then, one after the other.
        priority: less is more urgent.
        user: whose it is.
        tickets: for a lottery.
    """

    name: str
    arrival: int
    steps: tuple[Step, ...]
    priority: int = 0
    user: str = ""
    tickets: int = 1


class Times(NamedTuple):
    """What became of a task, in ticks.

    Attributes:
        name: its name.
        cpu: had the processor itself.
        wait: was ready, and somebody else had it.
        blocked: waited for a device or a server.
        response: from its arrival till it first ran.
        turnaround: from its arrival till its end.
    """

    name: str
    cpu: int
    wait: int
    blocked: int
    response: int
    turnaround: int


class Outcome(NamedTuple):
    """A simulation: who had the processor in each tick (empty: nobody), and what became of each."""

    chart: tuple[str, ...]
    times: tuple[Times, ...]
    switches: int


@dataclass(eq=False)
class _Actor:
    """A task in the simulator; of a server, `steps` are those of the request that it serves."""

    task: Task
    arrival: int
    steps: deque[Step]
    server: bool = False
    left: int = 0
    cpu: int = 0
    wait: int = 0
    first: int = -1
    end: int = -1
    client: "_Actor | None" = None
    queue: "deque[tuple[_Actor, int]]" = field(default_factory=deque)


class Simulator:
    """Runs programs.

    Args:
        policy: who is next.
        programs: the tasks.
        inherit: whether servers inherit the priority of those who wait for them.
    """

    def __init__(
        self, policy: Policy, programs: Sequence[Program], *, inherit: bool = True
    ) -> None:
        self._policy = policy
        self._inherit = inherit
        self._actors = [
            _Actor(Task(p.name, p.priority, p.user or p.name, p.tickets), p.arrival, deque(p.steps))
            for p in programs
        ]
        names = {s.server: p for p in programs for s in p.steps if isinstance(s, Ask)}
        self._servers = {
            name: _Actor(Task(name, user=name), 0, deque(), server=True) for name in names
        }
        self._of = {actor.task: actor for actor in (*self._actors, *self._servers.values())}
        self._sleeping: list[tuple[int, _Actor]] = [(a.arrival, a) for a in self._actors]
        self._ready: set[_Actor] = set()
        self._now = 0

    def run(self) -> Outcome:
        """Simulate till all have ended."""
        chart: list[str] = []
        running: _Actor | None = None
        used = 0
        while any(actor.end < 0 for actor in self._actors) and self._now < LONGEST:
            self._wake()
            if running is not None and self._is_over(running, used):
                self._make_ready(running)
                running = None
            if running is None:
                running, used = self._dispatch(), 0
            self._tick(running)
            chart.append(running.task.name if running else "")
            self._now += 1
            used += 1
            if running is not None and not running.left:
                self._advance(running)
                running = None
        return Outcome(tuple(chart), tuple(map(_times, self._actors)), _switches(chart))

    def _is_over(self, running: _Actor, used: int) -> bool:
        """Whether somebody else has a turn now."""
        if self._policy.slices and used >= self._policy.quantum:
            return True
        return self._policy.preempts and self._policy.prefers(running.task, self._now)

    def _dispatch(self) -> _Actor | None:
        task = self._policy.next(self._now)
        if task is None:
            return None
        actor = self._of[task]
        self._ready.discard(actor)
        if actor.first < 0:
            actor.first = self._now
        return actor

    def _tick(self, running: _Actor | None) -> None:
        for actor in self._ready:
            actor.wait += 1
        if running is not None:
            running.left -= 1
            running.cpu += 1
            self._policy.ran(running.task, 1)

    def _wake(self) -> None:
        """Those whose time has come are ready, or end."""
        due = [each for each in self._sleeping if each[0] <= self._now]
        self._sleeping = [each for each in self._sleeping if each[0] > self._now]
        for _, actor in due:
            self._advance(actor)

    def _make_ready(self, actor: _Actor) -> None:
        self._ready.add(actor)
        self._policy.ready(actor.task, self._now)

    def _advance(self, actor: _Actor) -> None:
        """It begins with its next step."""
        if actor.server:
            self._answered(actor)
            return
        if not actor.steps:
            actor.end = self._now
            return
        step = actor.steps.popleft()
        if isinstance(step, Run):
            actor.left = step.ticks
            self._make_ready(actor)
        elif isinstance(step, Wait):
            self._sleeping.append((self._now + step.ticks, actor))
        else:
            server = self._servers[step.server]
            server.queue.append((actor, step.ticks))
            if server.client is None:
                self._serve(server)
            self._lend(server)

    def _serve(self, server: _Actor) -> None:
        server.client, server.left = server.queue.popleft()
        server.task.priority = server.client.task.priority
        server.task.user = server.client.task.user
        self._make_ready(server)

    def _answered(self, server: _Actor) -> None:
        client, server.client = server.client, None
        if server.queue:
            self._serve(server)
        self._lend(server)
        if client is not None:
            self._advance(client)

    def _lend(self, server: _Actor) -> None:
        waiting = [client.task.urgency for client, _ in server.queue]
        server.task.lent = waiting if self._inherit else []


def _times(actor: _Actor) -> Times:
    turnaround = actor.end - actor.arrival
    blocked = turnaround - actor.cpu - actor.wait
    response = actor.first - actor.arrival
    return Times(actor.task.name, actor.cpu, actor.wait, blocked, response, turnaround)


def _switches(chart: Sequence[str]) -> int:
    """How often the processor went from one task to another."""
    had = [name for name in chart if name]
    return sum(one != other for one, other in pairwise(had))


def gantt(chart: Sequence[str]) -> str:
    """Who had the processor when: a run of ticks each, with where it ends."""
    parts, start = [], 0
    for tick in range(1, len(chart) + 1):
        if tick == len(chart) or chart[tick] != chart[start]:
            parts.append(f"{chart[start] or '-'} {tick}")
            start = tick
    return f"0 | {' | '.join(parts)} |" if parts else "0 |"


def mixed(lots: random.Random) -> Iterator[Program]:
    """Five tasks that come one after the other; some wait for devices."""
    arrival = 0
    for name in "ABCDE":
        steps: list[Step] = [Run(lots.randint(1, 8))]
        for _ in range(lots.randint(0, 2)):
            steps += [Wait(lots.randint(1, 6)), Run(lots.randint(1, 4))]
        yield Program(name, arrival, tuple(steps), lots.randint(0, 4), "", lots.randint(1, 4))
        arrival += lots.randint(0, 4)


def convoy(lots: random.Random) -> Iterator[Program]:
    """One task that computes, and three that mostly wait: who is behind the long one is slow."""
    yield Program("A", 0, (Run(lots.randint(12, 20)),), 3)
    for name in "BCD":
        steps = (Run(1), Wait(2)) * 3 + (Run(1),)
        yield Program(name, lots.randint(0, 2), steps, 1)


def users(lots: random.Random) -> Iterator[Program]:
    """A user with one task, and one with three: who gets how much."""
    ticks = lots.randint(8, 12)
    yield Program("A", 0, (Run(ticks),), 2, "ada")
    for name in "BCD":
        yield Program(name, 0, (Run(ticks),), 2, "bob")


def inversion(lots: random.Random) -> Iterator[Program]:
    """L asks a server, then M computes, then H asks the same server: who waits for whom?"""
    yield Program("L", 0, (Run(1), Ask("S", lots.randint(3, 5)), Run(1)), 9)
    yield Program("M", 2, (Run(lots.randint(12, 18)),), 5)
    yield Program("H", 3, (Run(1), Ask("S", 2), Run(1)), 0)


WORKLOADS: Final[Mapping[str, Callable[[random.Random], Iterator[Program]]]] = {
    each.__name__: each for each in (mixed, convoy, users, inversion)
}
