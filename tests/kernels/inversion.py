"""Who goes first: `python -m tests.kernels.inversion KERNEL` prints the order, in two ways.

Three programs: `low` is in the middle of a request to Middle, which waits for Bottom; `high` waits
for Middle; and `medium` comes to Bottom when low may go on. With inheritance low, for which high
waits, goes on first; then whoever is at the gate. Without it, in the second line, medium goes
before low, and so before high.
"""

import sys
import threading
from typing import Final

from kernels import User, boot
from kernels.scheduling.priorities import Priorities
from kernels.turnstile import Asker
from tests.conftest import eventually
from twinos import Region, Service, Signal, Tasks, Waits, op
from twinos.tasks import Limits

LOW, HIGH, MEDIUM, RELEASE = range(4)
NICE: Final = {"low": 10, "high": -10, "medium": -5}


class Bottom(Service):
    """At whose gate they meet."""

    def __init__(self, flags: Region) -> None:
        if not flags.size:
            flags.resize(8)
        self._flags = flags
        self._went = Signal()
        self._may_go = False
        self._log: list[str] = []

    @op
    def when_it_may(self, who: str) -> Waits[None]:
        """Wait until somebody has held the gate."""
        while not self._may_go:
            yield self._went
        self._log.append(who)

    @op
    def note(self, who: str) -> None:
        """Be here."""
        self._log.append(who)

    @op
    def hold(self) -> None:
        """Let those go who wait, and stay at the gate until a flag is set."""
        self._may_go = True
        self._went.notify()
        while not self._flags.memory[RELEASE]:
            pass

    @op
    def log(self) -> tuple[str, ...]:
        """Who was here."""
        return tuple(self._log)


class Middle(Service):
    """Serves one at a time, and needs Bottom for it."""

    def __init__(self, bottom: Bottom) -> None:
        self._bottom = bottom

    @op
    def work(self, who: str) -> None:
        """Wait for Bottom."""
        self._bottom.when_it_may(who)


class Starter(Service):
    """Starts the programs."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    @op
    def start(self, name: str) -> None:
        """One of them, as nice as it is."""
        task = self._tasks.start(globals()[name], name, (0, 0, ()), Limits(1 << 30, 60))
        self._tasks.renice(task.caller.id, NICE[name])


def low(user: User) -> None:
    _await(user, LOW)
    user[Middle].work("low")


def high(user: User) -> None:
    _await(user, HIGH)
    user[Middle].work("high")


def medium(user: User) -> None:
    _await(user, MEDIUM)
    user[Bottom].note("medium")


def _await(user: User, flag: int) -> None:
    flags = user.region(Bottom, "flags").memory
    eventually(lambda: flags[flag])


def meet(kernel: str, *, inherits: bool) -> tuple[str, ...]:
    """Have them meet; the order in which they go on."""
    Asker.INHERITS = inherits
    Priorities.AGE = 1e9  # who waits longer is no more urgent for it
    with boot(kernel, Middle, Starter, users="process", scheduler="priority") as system:

        def waiting(count: int) -> bool:
            return sum(one.waiting for one in system.passages().values()) == count

        flags, bottom = system.region(Bottom, "flags").memory, system.user()[Bottom]
        for name in NICE:
            system[Starter].start(name)
        entered = sum(one.entered for one in system.passages().values())
        flags[LOW] = 1
        eventually(lambda: sum(one.entered for one in system.passages().values()) > entered)
        eventually(lambda: waiting(0))
        flags[HIGH] = 1
        eventually(lambda: waiting(1))
        holder = threading.Thread(target=bottom.hold)
        holder.start()
        eventually(lambda: waiting(2))
        flags[MEDIUM] = 1
        eventually(lambda: waiting(3))
        flags[RELEASE] = 1
        holder.join()
        eventually(lambda: len(system[Bottom].log()) == len(NICE))
        return system[Bottom].log()


if __name__ == "__main__":
    for inherits in (True, False):
        print(*meet(sys.argv[1], inherits=inherits))  # noqa: T201 (a program)
