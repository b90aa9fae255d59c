"""Looking at a running system, and what happened since the last look.

The kernel is asked for what it knows itself; that takes no service, so it is told also when all of
them hang. What only services know (processes, memory) is asked for apart, by `ask`, which may wait.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from kernels.desk import Passages
from kernels.status import Counts, Event, ServerStatus
from lab.shell.machine import Machine
from lab.top.look import Answers, Look, Rates, ServiceLook
from servers.memory import MemoryManager
from servers.process.accounts import usage
from twinos import KernelPanic, ServerDied

EVENTS: Final = 100
_NOTHING: Final = Passages(0, 0.0, 0.0, 0.0, 0)


class _Sums(NamedTuple):
    """What has been counted until some moment."""

    time: float
    counts: Counts
    interrupts: int
    passages: Mapping[str, Passages]
    cpu: Mapping[int, float]


class Watcher:
    """Looks at a machine.

    Args:
        machine: a system that was booted with a scheduler: then its gates count.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._began = time.monotonic()
        self._answers = Answers((), None, self._began)
        self._status: tuple[ServerStatus, ...] = ()
        self._last = self._sums()
        self._look: Look | None = None

    def ask(self) -> None:
        """Ask services for what only they know. It waits for them; of dead ones nothing is new."""
        with suppress(ServerDied, OSError, KernelPanic):
            processes = self._machine.process.manager.processes()
            memory = self._machine.system[MemoryManager].meminfo()
            self._answers = Answers(processes, memory, time.monotonic())

    def look(self) -> Look:
        """What is seen now."""
        panic, before = "", self._last
        try:
            now = self._sums()
        except KernelPanic as error:
            panic, now = str(error), before
        else:
            self._last = now
        seconds = max(now.time - before.time, 1e-9)
        return Look(
            self._machine.kernel,
            time.monotonic() - self._began,
            tuple(self._services(before, now, seconds, panic)),
            Rates(
                (now.counts.messages - before.counts.messages) / seconds,
                (now.counts.bytes - before.counts.bytes) / seconds,
                (now.interrupts - before.interrupts) / seconds,
            ),
            self._answers,
            time.monotonic() - self._answers.time,
            self._events(),
            panic,
        )

    def _sums(self) -> _Sums:
        """KernelPanic."""
        system = self._machine.system
        self._status = system.status()
        return _Sums(
            time.monotonic(),
            system.counts(),
            sum(system.interrupts().values()),
            system.passages(),
            {one.pid: usage(one.pid)[0] for one in self._status},
        )

    def _services(
        self, before: _Sums, now: _Sums, seconds: float, panic: str
    ) -> Iterator[ServiceLook]:
        for space in self._status:
            state = "panicked" if panic else space.state
            about = (state, space.pid, space.restarts)
            first, *others = space.services
            name = "+".join(space.services)
            entered = _NOTHING if panic else now.passages.get(name, _NOTHING)
            earlier = before.passages.get(name, _NOTHING)
            count = entered.entered - earlier.entered
            worked = now.cpu.get(space.pid, 0.0) - before.cpu.get(space.pid, 0.0)
            yield ServiceLook(
                first,
                *about,
                max(count, 0) / seconds,
                entered.waiting,
                max(entered.wait - earlier.wait, 0.0) / count * 1e6 if count > 0 else 0.0,
                max(worked, 0.0) / seconds,
                usage(space.pid)[1],
            )
            yield from (ServiceLook(other, *about) for other in others)

    def _events(self) -> tuple[str, ...]:
        with suppress(KernelPanic):
            return tuple(_told(event) for event in self._machine.system.events()[-EVENTS:])
        return ()


def _told(event: Event) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(event.time))} {event.server} {event.what}"
