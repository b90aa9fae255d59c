"""The process table: what the manager knows of each process."""

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from servers.process.signals import IGNORE, bit
from servers.who import Who
from twinos import Caller, Signal, fail

INIT: Final = 1
"""The first process, which is none of the host: who has lost a parent is its child."""
KEPT: Final = 8
"""Places in the table that no program's child gets: for who runs by itself."""

RUNNING, STOPPED, ZOMBIE = "R", "T", "Z"

FORKED: Final = -1
"""The process on the host of one that was forked, until somebody asks the kernel."""


ANYBODY: Final = -1
"""The terminal's group where there is no job control: whoever reads may."""
NOBODY: Final = 0
"""The terminal's group between two jobs: who reads waits."""


class Descriptor(NamedTuple):
    """An open file as it is passed to a child: its number there, and whose it is.

    Attributes:
        fd: its number.
        service: the service that keeps it.
        handle: the number by which that service knows it.
    """

    fd: int
    service: str
    handle: int


class Beginning(NamedTuple):
    """What a new program finds: its id, what to run, and what it was given.

    Attributes:
        space: the number of its address space; 0: it makes one when it needs it.
        left: what the program before it had open, and it has not.
    """

    pid: int
    program: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    descriptors: tuple[Descriptor, ...]
    space: int = 0
    left: tuple[Descriptor, ...] = ()


class Order(NamedTuple):
    """What is to be spawned, after posix_spawn(3).

    Attributes:
        path: the program's file.
        arguments: the program's name and its arguments.
        environment: names and values.
        descriptors: what it has open.
        group: its process group: 0, a new one; -1, its parent's.
        directory: its working directory; empty: its parent's.
        user: other credentials: user, group and supplementary groups; None: its parent's.
        heeded: signals that it is not to ignore though its parent does, as a set.
    """

    path: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    descriptors: tuple[Descriptor, ...] = ()
    group: int = -1
    directory: str = ""
    user: tuple[int, int, tuple[int, ...]] | None = None
    heeded: int = 0


class Forked(NamedTuple):
    """A child that is about to be forked.

    Attributes:
        pid: its id.
        caller: who it will be.
        space: its address space.
    """

    pid: int
    caller: int
    space: int


class ProcessInfo(NamedTuple):
    """A line of ps(1). `state` is R, T (stopped) or Z (ended, and not waited for)."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    uid: int
    state: str
    nice: int
    started: float
    cpu: float
    memory: int
    command: str


@dataclass(eq=False)
class Entry:
    """A process.

    Attributes:
        pid: its id.
        parent: its parent's.
        group, session: its process group and session.
        who: the caller that it is; None: init.
        command: for people.
        host: its process on the host; 0 if it runs by itself.
        state: running, stopped or a zombie.
        status: how it ended, as waitpid(2) tells it.
        cause: the signal that is ending it.
        pending, mask: signals that have come, and those that must wait: sets.
        actions: what it does about signals, where that is not the default.
        news: whether it stopped or went on, and its parent has not been told.
        changed: notified when something happens that it may wait for.
        beginning: what it has yet to be told when it begins.
        space: its address space.
        nice: 0 is common, 19 the nicest to others.
        started: seconds of the host's monotonic clock.
        alarm: when SIGALRM is due, by that clock; 0: it is not.
    """

    pid: int
    parent: int
    group: int
    session: int
    who: Who | None
    command: str
    host: int = 0
    state: str = RUNNING
    status: int = 0
    cause: int = 0
    pending: int = 0
    mask: int = 0
    actions: dict[int, int] = field(default_factory=dict)
    news: int = 0
    changed: Signal = field(default_factory=Signal)
    beginning: Beginning | None = None
    space: int = 0
    nice: int = 0
    started: float = 0.0
    alarm: float = 0.0

    @property
    def ignored(self) -> int:
        """The signals that it ignores: a set."""
        return sum(bit(number) for number, action in self.actions.items() if action == IGNORE)

    @property
    def alive(self) -> bool:
        """Whether it is no zombie."""
        return self.state != ZOMBIE


class Table:
    """All processes.

    Args:
        most: how many there may be, zombies included.
        most_of_a_user: how many of one user who is not the superuser.
    """

    def __init__(self, most: int, most_of_a_user: int) -> None:
        self._most = most
        self._most_of_a_user = most_of_a_user
        self._kept = min(most // 8, KEPT)
        self._last = INIT
        self.foreground, self.turn = ANYBODY, 0  # the group that has the terminal; a number for it
        self.entries: dict[int, Entry] = {}
        self._callers: dict[int, Entry] = {}
        self.add(Entry(INIT, 0, INIT, INIT, None, "init"))

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self.entries.values()))

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def last(self) -> int:
        """The last number that was given out."""
        return self._last

    def restore(
        self, last: int, entries: Iterable[Entry], foreground: tuple[int, int] = (ANYBODY, 0)
    ) -> None:
        """Be the table that it was when its keeper died."""
        self._last = max(last, self._last)
        self.foreground, self.turn = foreground
        for entry in entries:
            self.add(entry)

    def new_pid(self, uid: int, parent: Entry | None = None) -> int:
        """A number that no process has.

        Args:
            uid: whose process it will be.
            parent: who starts it; None: itself.

        Raises:
            OSError: EAGAIN: there are too many processes, or too many of this user.
        """
        room = self._most - len(self.entries)
        if room <= (self._kept if parent is not None and parent.host else 0):
            raise fail(errno.EAGAIN)
        if uid and sum(entry.who.uid == uid for entry in self if entry.who) >= self._most_of_a_user:
            raise fail(errno.EAGAIN)
        self._last += 1
        return self._last

    def add(self, entry: Entry) -> None:
        """One more process."""
        self.entries[entry.pid] = entry
        if entry.who is not None:
            self._callers[entry.who.id] = entry

    def forget(self, entry: Entry) -> None:
        """A process has been waited for."""
        self.entries.pop(entry.pid, None)
        if entry.who is not None:
            self._callers.pop(entry.who.id, None)

    def is_known(self, caller: Caller) -> bool:
        """Whether it is a process, if only a zombie."""
        return caller.id in self._callers

    def of_departed(self, caller: Caller) -> Entry:
        """Which process, perhaps a zombie, has gone."""
        return self._callers[caller.id]

    def of_caller(self, caller: Caller) -> Entry:
        """Which process asks. ESRCH: it is none, or has ended."""
        entry = self._callers.get(caller.id)
        if entry is None or not entry.alive:
            raise fail(errno.ESRCH)
        return entry

    def find(self, pid: int) -> Entry:
        """The process of that number. ESRCH."""
        try:
            return self.entries[pid]
        except KeyError:
            raise fail(errno.ESRCH) from None

    def children(self, parent: Entry) -> list[Entry]:
        """The processes whose parent it is."""
        return [entry for entry in self if entry.parent == parent.pid]

    def members(self, group: int) -> list[Entry]:
        """The processes of a group."""
        return [entry for entry in self if entry.group == group]


def selected(children: Iterable[Entry], pid: int, asking: Entry) -> list[Entry]:
    """Those children that waitpid(`pid`) means: one, any, or those of a group. ECHILD: none."""
    if pid > 0:
        found = [child for child in children if child.pid == pid]
    elif pid == -1:
        found = list(children)
    else:
        group = -pid or asking.group
        found = [child for child in children if child.group == group]
    if not found:
        raise fail(errno.ECHILD)
    return found


def exited(status: int) -> int:
    """A status as waitpid(2) tells it of a process that called exit."""
    return (status & 0xFF) << 8


def stopped(number: int) -> int:
    """The same, of one that a signal stopped."""
    return number << 8 | 0x7F


CONTINUED: Final = 0xFFFF
"""The same, of one that went on."""
