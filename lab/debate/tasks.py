"""Users who work with one service each, and remember what they were promised."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from kernels import User
from lab.faults.history import content
from lab.faults.trial import get, put
from lab.kills.spawning import PROGRAM, enter
from servers.clock import Clock
from servers.console import Console
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.memory.layout import PAGE_SIZE
from servers.pipes import Pipes
from workloads.memory import space_of

THINGS: Final = 8
"""Files, and pages, of a user."""


class Task(Protocol):
    """What a user does with one service."""

    def ask(self) -> int:
        """Do a piece of work; how much of what was acknowledged before turned out to be lost."""

    def anew(self) -> int:
        """After an error: see to what is left, begin again; how much is lost."""


class _Files:
    """Puts versions into files, and looks whether the last one is there."""

    def __init__(self, user: User) -> None:
        self._files = user[FileSystem]
        self._known: dict[int, int] = {}
        self._version = 0

    def ask(self) -> int:
        self._version += 1
        number = self._version % THINGS
        path = f"/healing-{number}"
        known = self._known.get(number)
        lost = known is not None and get(self._files, path) != known
        put(self._files, path, content(self._version))
        self._known[number] = self._version
        return int(lost)

    def anew(self) -> int:
        """The put that failed may be done or not: its file is nobody's any more."""
        self._known.pop(self._version % THINGS, None)
        return 0


class _Pages:
    """Stores into pages, looks whether the last store is there, and maps some more."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._turn = 0
        self._begin()

    def _begin(self) -> None:
        self._known: dict[int, int] = {}
        self._space = space_of(self._user[MemoryManager], self._user)
        self._start = self._space.mmap(THINGS * PAGE_SIZE)

    def ask(self) -> int:
        self._turn += 1
        number = self._turn % THINGS
        lost = number in self._known and self._differs(number)
        self._known.pop(number, None)
        self._space.store(self._start + number * PAGE_SIZE, bytes([self._turn % 251]))
        self._known[number] = self._turn % 251
        self._space.munmap(self._space.mmap(PAGE_SIZE), PAGE_SIZE)
        return int(lost)

    def anew(self) -> int:
        lost = sum(map(self._differs, self._known))
        if lost:
            with suppress(OSError):
                self._space.close()
            self._begin()
        return lost

    def _differs(self, number: int) -> bool:
        try:
            found = self._space.load(self._start + number * PAGE_SIZE, 1)
        except OSError:
            return True
        return found != bytes([self._known[number]])


class _Pipe:
    """Writes into a pipe and reads what it wrote before."""

    def __init__(self, user: User) -> None:
        self._pipes = user[Pipes]
        self._turn = 0
        self._begin()

    def _begin(self) -> None:
        self._known = b""
        self._reading, self._writing = self._pipes.pipe()

    def ask(self) -> int:
        self._turn += 1
        message, known = b"%08d" % self._turn, self._known
        self._pipes.write(self._writing, message)
        self._known += message
        if known:
            found = self._pipes.read(self._reading, len(known), block=False)
            self._known = message
            return int(found != known)
        return 0

    def anew(self) -> int:
        try:
            found = self._pipes.read(self._reading, 1 << 12, block=False)
        except OSError:
            found = b""
        lost = not found.startswith(self._known)
        self._begin()
        return int(lost)


class _Programs:
    """Starts programs and waits for each: its end, as it was told to end, must come out."""

    def __init__(self, user: User) -> None:
        self._process = enter(user)
        self._turn = 0
        self._started = 0

    def ask(self) -> int:
        self._turn += 1
        status = self._turn % 100
        self._started = self._process.spawn(PROGRAM, ["ends", str(status)])
        told, found = self._process.waitpid(self._started)
        lost = (told, os.waitstatus_to_exitcode(found)) != (self._started, status)
        self._started = 0
        return int(lost)

    def anew(self) -> int:
        started, self._started = self._started, 0
        if not started:
            return 0
        try:
            return int(self._process.waitpid(started)[0] != started)
        except OSError:
            return 1


class _Time:
    """Asks for the time, which nobody can lose."""

    def __init__(self, user: User) -> None:
        self._clock = user[Clock]

    def ask(self) -> int:
        self._clock.null()
        return 0

    def anew(self) -> int:
        return 0


class _Screen:
    """Asks the console, and remembers nothing."""

    def __init__(self, user: User) -> None:
        self._console = user[Console]

    def ask(self) -> int:
        self._console.isatty()
        return 0

    def anew(self) -> int:
        return 0


TASKS: Final[Mapping[str, Callable[[User], Task]]] = {
    "files": _Files,
    "memory": _Pages,
    "pipes": _Pipe,
    "programs": _Programs,
    "clock": _Time,
    "console": _Screen,
}
