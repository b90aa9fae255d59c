"""Processes of programs: each stands by first, and then gets its role.

What every program's process does before it knows whose it is (let go of the nucleus's memory and
descriptors, build its end of the connection) takes longer than the host's fork. So one process, the
spare, stands by while nobody starts anything, and who starts a program does not wait for that: the
spare gets its role by one message. If there is none (the first time, or many starts at once), a
process is forked then, and does the same.
"""

import importlib
import os
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, Final

import msgspec

from kernels.host import address_space, die_with_parent, hear_no_children, name_process
from kernels.launch import close_all_but, fork
from kernels.parcels import post, socket_pair, take
from kernels.plan import Plan
from kernels.switchboard import Switchboard, Timer
from twinos import Caller
from twinos.codec import decoder
from twinos.tasks import Limits
from twinos.wiring import needs

BREAK: Final = 0.01
"""Seconds after a start until another process is made ready; the started one goes first."""
LAST_SECONDS: Final = 2
"""Seconds of processor time that a program has from SIGXCPU to SIGKILL."""
NOBODY: Final = Caller(0, "user", 0, 0, ())


class Role(msgspec.Struct, frozen=True, array_like=True):
    """What a process is to be: which function, called what, within which limits, and who.

    The door comes along and, if messages are counted, the table of counts.
    """

    main: str
    name: str
    limits: Limits
    caller: Caller


_read: Final[Callable[[bytes], Role]] = decoder(Role)


class Spare:
    """A process that stands by.

    Attributes:
        pid: of the host.
        process, death: descriptors of it.
        connection: the nucleus's end.
    """

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.connection = connection
        self.process = os.pidfd_open(pid)
        try:
            self.death = os.pidfd_open(pid)
        except OSError:
            os.close(self.process)
            raise

    def play(self, role: Role, descriptors: tuple[int, ...]) -> None:
        """Let it be that. OSError: it is dead."""
        post(self.connection, role, descriptors)

    def close(self) -> None:
        """It is no more."""
        self.connection.close()
        os.close(self.process)


class Spares:
    """Has one ready.

    Args:
        plan: what the system is.
        board: where to wait.
        forget: drops, in a child, the memory that is not its own.
    """

    def __init__(self, plan: Plan, board: Switchboard, forget: Callable[[], None]) -> None:
        self._plan = plan
        self._board = board
        self._forget = forget
        self._ready: Spare | None = None
        self._due: Timer | None = None

    @property
    def pids(self) -> list[int]:
        """The processes of the host that stand by."""
        return [] if self._ready is None else [self._ready.pid]

    def cast(self, role: Role, descriptors: tuple[int, ...]) -> Spare:
        """A process that has that role from now on. OSError: the host has no room."""
        if self._due is None:
            self._due = self._board.after(BREAK, self._make_ready)
        ready = self._taken()
        if ready is not None:
            with suppress(OSError):  # it has just died
                return self._played(ready, role, descriptors)
        return self._played(self._forked(), role, descriptors)

    def close(self) -> None:
        """End the one that stands by; there is no other, till somebody starts a program again."""
        due, self._due = self._due, None
        if due is not None:
            self._board.cancel(due)
        self._lose()

    def _make_ready(self) -> None:
        self._due = None
        if self._ready is None:
            try:
                self._ready = self._forked()
            except OSError:
                return  # when it is wanted, the host will say so again
            self._board.watch(self._ready.death, self._lose)

    def _taken(self) -> Spare | None:
        spare, self._ready = self._ready, None
        if spare is not None:
            self._board.unwatch(spare.death)
        return spare

    def _lose(self) -> None:
        """The one that was ready has died."""
        spare = self._taken()
        if spare is not None:
            self._bury(spare)

    def _played(self, spare: Spare, role: Role, descriptors: tuple[int, ...]) -> Spare:
        """The same one, in its role. OSError: it would not take it, and is no more."""
        try:
            spare.play(role, descriptors)
        except OSError:
            self._bury(spare)
            raise
        return spare

    def _bury(self, spare: Spare) -> None:
        os.kill(spare.pid, signal.SIGKILL)  # a child that is not reaped: the number is its own
        os.waitpid(spare.pid, 0)
        os.close(spare.death)
        spare.close()

    def _forked(self) -> Spare:
        """A new process. OSError: the host has no room."""
        with ExitStack() as undo:
            ours, theirs = map(undo.enter_context, socket_pair())
            pid = fork(_stand_by, theirs, self._plan, self._forget, os.getpid())
            try:
                spare = Spare(pid, ours)
            except OSError:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise
            theirs.close()
            undo.pop_all()
        return spare


def _stand_by(
    connection: socket.socket, plan: Plan, forget: Callable[[], None], nucleus: int
) -> int:
    """What a program's process does, from its first instruction on."""
    from kernels.microkernel import Remote, run_task  # noqa: PLC0415 (that starts the nucleus)

    forget()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hear_no_children()
    close_all_but({connection.fileno()})
    die_with_parent(nucleus)
    name_process("twinos:spare")
    new_kernel = partial(Remote, plan.order, connection, plan.layers, plan.transport)
    _rehearse(new_kernel(), plan)
    kernel = new_kernel()
    try:
        parcel = take(connection)
    except EOFError:
        return os.EX_OK
    role = _read(parcel.message)
    kernel.enter(role.caller, parcel.descriptors)
    return run_task(kernel, plan.order, role.caller, _assume(role))


def _rehearse(kernel: Any, plan: Plan) -> None:
    """Build, and throw away, what every program builds: then its memory is this process's own."""
    from kernels.system import User  # noqa: PLC0415 (as above)

    nobody = User(kernel, plan.order, NOBODY)
    for service in plan.order:
        if needs(service).tasks:
            nobody[service]


def _assume(role: Role) -> Callable[..., Any]:
    """Take the name and the limits of a role; what it is to do."""
    most = address_space() + role.limits.memory  # what it starts with is not its own doing
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    cpu = role.limits.cpu
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + LAST_SECONDS))
    name_process(f"twinos:{role.name}")
    module, _, name = role.main.partition(":")
    main: Any = importlib.import_module(module)
    for part in name.split("."):
        main = getattr(main, part)
    found: Callable[..., Any] = main
    return found
