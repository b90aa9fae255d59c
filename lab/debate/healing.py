"""Experiments that kill services under load: who is served meanwhile, and what is lost."""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from statistics import median
from threading import Event, Thread
from typing import Any, Final

from kernels import System, User
from lab.choice import parse
from lab.debate.costs import cost
from lab.debate.evidence import Finding, Measure, Setting
from lab.debate.tasks import TASKS, Task
from lab.faults.history import content
from lab.kills.killing import kill, never_given_up
from lab.refusal import Failure
from lab.stats import median_interval
from servers.clock import Clock
from servers.console import Console
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.pipes import Pipes
from servers.process import ProcessManager
from twinos.wiring import boot_order

SERVICES: Final = (FileSystem, MemoryManager, Pipes, Clock, Console, ProcessManager)
KILLS, QUICK_KILLS = 7, 6
"""Of each service."""
PATIENCE_S: Final = 30.0
BETWEEN_S: Final = 0.05
"""Of undisturbed work before a kill, and after it."""
OPENED: Final = 20
"""Files that are open, and written to, when the crash comes."""
_PAUSE_S: Final = 0.001


class _Asker(Thread):
    """A user at work, in a thread.

    Attributes:
        made, failed, lost: requests so far; those of them that met an error; what is lost.
        answered: when the last one that was answered had been made.
        failure: what it ended of and should not have; None: nothing.
    """

    def __init__(self, system: System, make: Callable[[User], Task], over: Event) -> None:
        super().__init__(daemon=True)
        self._user = system.user()
        self._task = make(self._user)
        self._over = over
        self.made = self.failed = self.lost = 0
        self.answered = 0.0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._work()
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is reported)
            self.failure = error

    def _work(self) -> None:
        asked = time.monotonic()
        self.made += 1
        try:
            self.lost += self._task.ask()
            self.answered = asked
            time.sleep(_PAUSE_S)
        except OSError:
            self.failed += 1
            self._again()

    def _again(self) -> None:
        """Until it can go on: what it asks for meanwhile may fail, too."""
        while not self._over.is_set():
            with suppress(OSError):
                self.lost += self._task.anew()
                return
            self.failed += 1
            self.made += 1
            time.sleep(_PAUSE_S)

    def leave(self) -> None:
        """Leave the system."""
        with suppress(OSError):
            self._user.close()


class _Load:
    """All users at work."""

    def __init__(self, system: System) -> None:
        self._over = Event()
        self._askers = [_Asker(system, make, self._over) for make in TASKS.values()]
        for asker in self._askers:
            asker.start()

    def sums(self) -> tuple[int, int, int]:
        """Requests made, requests that failed, and what is lost, so far."""
        return (
            sum(asker.made for asker in self._askers),
            sum(asker.failed for asker in self._askers),
            sum(asker.lost for asker in self._askers),
        )

    def answered_since(self, moment: float) -> bool:
        """Whether everybody was answered what they asked after that moment, within reason."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for name, asker in zip(TASKS, self._askers, strict=True):
                if asker.failure is not None:
                    raise Failure(f"the user of {name} ended: {asker.failure!r}.")
            if all(asker.answered > moment for asker in self._askers):
                return True
            time.sleep(_PAUSE_S)
        return False

    def end(self) -> None:
        """Have them go."""
        self._over.set()
        for asker in self._askers:
            asker.join(PATIENCE_S)
            asker.leave()


@contextmanager
def _loaded(setting: Setting) -> Iterator[tuple[System, _Load]]:
    kernel = parse("microkernel")
    with kernel.boot(SERVICES, {}, "inline", setting.cpus, count=False) as system:
        load = _Load(system)
        try:
            yield system, load
        finally:
            load.end()


def heals(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """Each service of a microkernel is killed under load, on a schedule.

    Meanwhile a user each works with files, memory, pipes, programs, the clock and the console, and
    looks after what was acknowledged. No parameters. Measures: `answers again, SERVICE`, the share
    of its kills after which all users were answered; `served, SERVICE`, the share of requests
    around its kills that were; `lost, SERVICE`, what was acknowledged and is gone, by kill;
    `repair, SERVICE`, ms from a kill until all users were answered what they asked after it.
    """
    del parameters
    rng = random.Random(setting.seed)
    count = QUICK_KILLS if setting.quick else KILLS
    found: dict[str, list[tuple[bool, float, float, int]]] = {}
    with never_given_up(boot_order(SERVICES)), _loaded(setting) as (system, load):
        names = [name for server in system.status() for name in server.services]
        schedule = names * count
        rng.shuffle(schedule)
        load.answered_since(time.monotonic())
        for name in schedule:
            found.setdefault(name, []).append(_killed(system, load, name, rng))
    return Finding(list(_healed(found)), notes=[f"{count} kills of each of {len(names)} services"])


def _killed(
    system: System, load: _Load, name: str, rng: random.Random
) -> tuple[bool, float, float, int]:
    """Whether all were answered after a kill; the share served; ms to repair; what was lost."""
    before = load.sums()
    time.sleep(BETWEEN_S * (1 + rng.random()))
    struck = time.monotonic()
    kill(system, name)
    whole = load.answered_since(struck)
    repaired = time.monotonic() - struck
    time.sleep(BETWEEN_S)
    made, failed, lost = (now - then for now, then in zip(load.sums(), before, strict=True))
    return whole, 1 - failed / max(made, 1), 1000 * repaired, lost


def _healed(found: Mapping[str, Sequence[tuple[bool, float, float, int]]]) -> Iterator[Measure]:
    for name, kills in found.items():
        whole, served, repaired, lost = zip(*kills, strict=True)
        yield Measure(f"answers again, {name}", sum(whole) / len(kills), exact=True)
        yield Measure(f"served, {name}", median(served), median_interval(served))
        yield Measure(f"lost, {name}", sum(lost) / len(kills), exact=True)
        yield Measure(f"repair, {name}", median(repaired), median_interval(repaired), unit="ms")


def crash(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What the crash of a service takes along, by who shares an address space with it.

    Parameters: `kernels`; `victims`, services whose process is killed in each; the system has the
    file system and the memory manager. Measures: `taken along by VICTIM, KERNEL`, the services that
    die with it, itself included; `open files lost by VICTIM, KERNEL`, the share of files that were
    open and written to and can't be read on as they were.
    """
    measures = []
    for name in parameters["kernels"]:
        for victim in parameters["victims"]:
            taken, lost = _crashed(setting, name, victim)
            measures += [
                Measure(f"taken along by {victim}, {name}", taken, exact=True),
                Measure(f"open files lost by {victim}, {name}", lost, exact=True),
            ]
    return Finding(measures)


def _crashed(setting: Setting, name: str, victim: str) -> tuple[int, float]:
    """The services that die with another; and the share of open files that are lost."""
    wanted = (FileSystem, MemoryManager)
    with parse(name).boot(wanted, {}, "inline", setting.cpus, count=False) as system:
        (server,) = (each for each in system.status() if victim in each.services)
        files = system[FileSystem]
        opened = {}
        for number in range(OPENED):
            descriptor = files.open(f"/{number}", os.O_CREAT | os.O_RDWR)
            files.write(descriptor, content(number + 1))
            opened[descriptor] = content(number + 1)
        kill(system, victim)
        lost = sum(not _kept(files, *each) for each in opened.items())
    return len(server.services), lost / OPENED


def _kept(files: FileSystem, descriptor: int, data: bytes) -> bool:
    """Whether an open file still is what it was; who asks may have to ask again."""
    for _ in range(2):
        with suppress(OSError):
            return files.pread(descriptor, len(data) + 1, 0) == data
    return False


def moved(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What it costs to move services into address spaces of their own, and what a crash then takes.

    The experiments `cost` and `crash`; parameters and measures are theirs.
    """
    price, worth = cost(setting, parameters), crash(setting, parameters)
    return Finding([*price.measures, *worth.measures], price.lacks, [*price.notes, *worth.notes])
