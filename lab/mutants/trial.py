"""One boot with one mutant, in a process of its own, which may die of it.

The clients' answers are written to standard output as they come. A service that has nothing to do
with the mutant stands by, and must answer at the end.
"""

import math
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from kernels import System, boot
from lab.faults.cell import Cell
from lab.faults.history import Step
from lab.faults.kinds import SERVICES
from lab.faults.trial import GRACE_S, Config, start
from lab.mutants.mutant import Mutant, sources
from lab.mutants.script import Answer, Asking, Reached, steps
from lab.mutants.swap import instrument
from servers.clock import Clock
from servers.disk import Disk
from servers.filesystem import FileSystem
from twinos import KernelPanic, Service, Supervision

HANG_S: Final = 0.5
"""How long a service may be at one request."""
STALL_S: Final = {"monolithic": 2.0, "microkernel": 8.0}
"""How long clients may get no answer before the system is asked how it is: under the microkernel a
server that hangs is killed meanwhile, perhaps several times for one request."""
TOTAL_S: Final = 12.0
"""After which the clients stop, done or not."""
EXAMINED_S: Final = 2.0
"""How long the kernel, and who stands by, may take to answer."""
ENOUGH_S: Final = 2.0
"""Seconds of steps that failed, in all, after which clients try no more."""
_MEMORY: Final = 8 << 30
_FILE: Final = 2 << 30
"""What no service needs, and no mutant gets beyond: address space (journals are large holes), and
the length of a file."""
_TICK_S: Final = 0.005


class Trial(msgspec.Struct, frozen=True):
    """What is tried.

    Attributes:
        mutant: the mistake; None: none, the answers are those that are right.
        kernel: under which.
        service: whose code it is.
        seed: of what the clients do.
        patience: by what the deadlines of clients are multiplied.
    """

    mutant: Mutant | None
    kernel: str
    service: str
    seed: int
    patience: float = 1.0


class Ended(msgspec.Struct, frozen=True, tag=True):
    """How the system was when the clients were done, or waited in vain.

    Attributes:
        waits: whether clients waited for an answer, while no server was starting or had just died.
        stands: whether the kernel answered, and the service that stood by.
        restarts: lives of servers after the first.
        hung: those that ended because a server hung.
        given_up: whether a server is not started any more.
        closing: the error with which the system was shut down; empty: there was none.
    """

    waits: bool
    stands: bool
    restarts: int = 0
    hung: int = 0
    given_up: bool = False
    closing: str = ""


Line = Answer | Ended


def run(trial: Trial, folder: Path) -> None:
    """Do it, and write what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
    cell = Cell(folder / "cell")
    service = SERVICES[trial.service]
    watched: list[type[Service]] = [*SERVICES.values(), Clock]
    for each in watched:
        each.__supervision__ = Supervision(hang=HANG_S)
    if trial.mutant is not None:
        instrument(service, trial.mutant, cell)
    system = start(trial.kernel, folder / "image", Clock)
    cell.arm(0)
    clients = _Clients(system, steps(trial.seed))
    clients.start()
    stall = STALL_S[trial.kernel] * trial.patience
    stalled = clients.follow(stall, TOTAL_S * trial.patience)
    ended = _examine(system, stall if stalled else math.inf, EXAMINED_S * trial.patience)
    closing = "" if not ended.stands else _close(system)
    _say(msgspec.structs.replace(ended, closing=closing))
    os._exit(0)  # a client may still wait


def survey(trial: Trial, folder: Path) -> Iterator[tuple[str, int]]:
    """The lines of the service's code that the clients reach when nothing is wrong with it."""
    config: Config = {Disk: {"image": str(folder / "image")}}
    system = boot("monolithic", FileSystem, config=config)
    with Reached(iter(sources(SERVICES[trial.service]))) as lines:
        asking = Asking(system)
        for step in steps(trial.seed):
            asking.take(step)
    system.close()
    yield from sorted(lines)


class _Clients(threading.Thread):
    """The clients, beside the thread that sees whether they get on.

    Attributes:
        got_on: when the last step ended, in seconds of the monotonic clock.
    """

    def __init__(self, system: System, plan: Sequence[Step]) -> None:
        super().__init__(daemon=True)
        self._plan = plan
        self._asking = Asking(system)
        self._failing_s = 0.0
        self.got_on = time.monotonic()

    def run(self) -> None:
        for step in self._plan:
            if self._failing_s < ENOUGH_S:
                answer = self._take(step)
                _say(answer)
                if answer.down:
                    return
            else:
                _say(Answer(error=SKIPPED))
            self.got_on = time.monotonic()

    def follow(self, stall: float, total: float) -> bool:
        """Wait until they are done, or have got no answer for too long: then, true."""
        end = time.monotonic() + total
        while self.is_alive() and time.monotonic() < min(end, self.got_on + stall):
            self.join(_TICK_S)
        return self.is_alive() and time.monotonic() >= self.got_on + stall

    def _take(self, step: Step) -> Answer:
        begun = time.monotonic()
        try:
            return self._asking.take(step)
        except KernelPanic as panic:
            return Answer(error=f"KernelPanic: {panic}", down=True)
        except Exception as problem:  # noqa: BLE001 (whatever comes of a mutant is recorded)
            self._failing_s += time.monotonic() - begun
            return Answer(error=f"{type(problem).__name__}: {problem}")


KILLED: Final = "it did not stop, and was killed"
SKIPPED: Final = "skipped"
"""The error of a step that was not tried any more."""


def _examine(system: System, stalled: float, patience: float) -> Ended:
    """Ask the kernel, and who stood by. For so long clients have had no answer; inf: they had."""
    found: list[Ended] = []

    def ask() -> None:
        with suppress(KernelPanic, OSError):
            with system.user() as newcomer:
                newcomer[Clock].null()
            statuses, events = system.status(), system.events()
            steady = all(s.state == "running" and s.uptime > stalled for s in statuses)
            found.append(
                Ended(
                    waits=steady,
                    stands=True,
                    restarts=sum(status.restarts for status in statuses),
                    hung=sum("hung" in event.what for event in events),
                    given_up=any(status.state == "given up" for status in statuses),
                )
            )

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(patience)
    return found[0] if found else Ended(waits=True, stands=False)


def _close(system: System) -> str:
    begun = time.monotonic()
    try:
        system.close()
    except Exception as problem:  # noqa: BLE001 (whatever comes of a mutant is recorded)
        return f"{type(problem).__name__}: {problem}"
    return KILLED if time.monotonic() - begun > GRACE_S else ""


def _say(line: Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()
