"""Operations that make processes, and programs of them: spawn, fork, exec."""

import errno
import signal as host_signal
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Final

from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.pipes import Pipes
from servers.process.alarms import Alarms
from servers.process.program import HEAD, Executable, executable
from servers.process.signals import IGNORE, members
from servers.process.startup import run
from servers.process.table import FORKED, Beginning, Descriptor, Entry, Forked, Order
from servers.who import Who
from twinos import Caller, fail, only, op
from twinos.tasks import Limits

DESCRIPTORS: Final = 256
"""Open files that a process may have."""
ARG_MAX: Final = 128 << 10
"""Bytes of arguments and environment together."""


class Starting(Alarms):
    """How processes begin. Each of these crosses every service.

    The file system reads the program, services hand on what they keep open, the memory manager
    lays out an address space, and the kernel starts a process of the host.
    """

    _files: Annotated[FileSystem, only("load", "inherit")]
    _pipes: Annotated[Pipes, only("inherit")]
    _addresses: Annotated[MemoryManager, only("exec", "inherit", "leave")]
    _limits: Limits

    @op
    def spawn(self, caller: Caller, order: Order) -> int:
        """Start a program as a child of the caller; its pid.

        It inherits the caller's working directory, umask, mask, and the signals that it ignores.

        Raises:
            OSError: ENOENT, EACCES and the like; ENOEXEC: it is no program; E2BIG; EBADF; EMFILE;
                EAGAIN: there are too many processes; ENOMEM: there is no memory for its address
                space; EPERM: other credentials, or no such group.
        """
        parent, who = self._table.of_caller(caller), Who(*caller)
        check_size(order)
        self._check_group(parent, order.group)
        own = (caller.uid, caller.gid, caller.groups)
        if caller.uid and order.user not in {None, own}:
            raise fail(errno.EPERM)
        found = self._found(who, order)
        uid, _, _ = order.user or own
        pid = self._table.new_pid(uid, parent)
        task = self._tasks.start(run, _name(order), order.user or own, self._limits)
        child = Who(*task.caller)
        try:
            self._bequeath(who, child, order.descriptors, order.directory)
            space = self._addresses.exec(child, found.path)
        except BaseException:
            self._tasks.signal(child.id, host_signal.SIGKILL)
            raise
        ignored = members(parent.ignored & ~order.heeded)
        self._table.add(
            Entry(
                pid,
                parent.pid,
                parent.group if order.group == -1 else order.group or pid,
                parent.session,
                child,
                " ".join(found.arguments),
                host=task.host,
                mask=parent.mask,
                actions=dict.fromkeys(ignored, IGNORE),
                beginning=_beginning(pid, found, order, space),
                space=space,
                nice=parent.nice,
                started=time.monotonic(),
            )
        )
        self._keep()
        return pid

    @op
    def fork(self, caller: Caller, descriptors: tuple[Descriptor, ...]) -> Forked:
        """Prepare a child that is the caller's copy; for `Process.fork`, which then forks.

        It shares what is open, positions included, has the same signal actions and mask, group,
        session, working directory, umask and priority, and a copy of the address space, whose
        pages are copied when either side writes. Signals that have come are not for the child.

        Args:
            caller: who forks.
            descriptors: what it has open.

        Returns:
            The child's pid, the caller that it will be, and its address space.

        Raises:
            OSError: EAGAIN: there are too many processes, or the host has no room; ENOMEM: its
                memory can't be promised a second time; EBADF; EMFILE; EPERM: the caller was not
                started by this service; ENOSYS: programs are no processes of the host.
        """
        parent, who = self._table.of_caller(caller), Who(*caller)
        if len(descriptors) > DESCRIPTORS:
            raise fail(errno.EMFILE)
        pid = self._table.new_pid(caller.uid, parent)
        child = Who(*self._tasks.bear(caller.id))
        try:
            self._bequeath(who, child, descriptors, "")
            space = self._copied(who, child, parent.space)
        except BaseException:
            with suppress(OSError):
                self._tasks.signal(child.id, host_signal.SIGKILL)
            raise
        self._table.add(
            Entry(
                pid,
                parent.pid,
                parent.group,
                parent.session,
                child,
                parent.command,
                host=FORKED,
                mask=parent.mask,
                actions=dict(parent.actions),
                space=space,
                nice=parent.nice,
                started=time.monotonic(),
            )
        )
        self._keep()
        return Forked(pid, child.id, space)

    @op
    def exec(self, caller: Caller, order: Order, left: tuple[Descriptor, ...] = ()) -> None:
        """Put another program in the place of the caller's, after execve(2); it does not return.

        The process is the same: its pid, parent, group, credentials, working directory, umask,
        mask, priority, the signals that have come, and those that it ignores. Those that it caught
        are as by default. Its memory is another.

        Args:
            caller: whose program ends.
            order: what takes its place: path, arguments, environment and descriptors.
            left: what it had open and is to be closed.

        Raises:
            OSError: as for `spawn`; EPERM: the caller was not started by this service.
        """
        entry, who = self._table.of_caller(caller), Who(*caller)
        check_size(order)
        found = self._found(who, order)
        space = self._addresses.exec(who, found.path)
        try:
            task = self._tasks.replace(caller.id, run, _name(order), self._limits)
        except BaseException:
            self._addresses.leave(who, space)
            raise
        old, entry.space, entry.host = entry.space, space, task.host
        entry.beginning = _beginning(entry.pid, found, order, space)._replace(left=left)
        entry.command = " ".join(found.arguments)
        entry.actions = dict.fromkeys(members(entry.ignored), IGNORE)
        if old:
            self._addresses.leave(who, old)
        self._keep()

    @op
    def begin(self, caller: Caller) -> Beginning:
        """What a program asks first: who it is and what it is to do. ESRCH; EINVAL: later."""
        entry = self._table.of_caller(caller)
        if entry.beginning is None:
            raise fail(errno.EINVAL)
        beginning, entry.beginning = entry.beginning, None
        self._keep()
        return beginning

    def _found(self, who: Who, order: Order) -> Executable:
        """The program that an order means."""

        def load(path: str) -> bytes:
            return self._files.load(who, path, HEAD)

        return executable(load, order.path, order.arguments)

    def _bequeath(
        self, parent: Who, child: Who, descriptors: Iterable[Descriptor], directory: str
    ) -> None:
        """Have the services that keep open files hand them on."""

        def kept_by(service: str) -> tuple[int, ...]:
            return tuple({d.handle: None for d in descriptors if d.service == service})

        self._files.inherit(parent, child, kept_by(FileSystem.__name__), directory)
        ends = kept_by(Pipes.__name__)
        if ends:
            self._pipes.inherit(parent, child, ends)

    def _copied(self, parent: Who, child: Who, space: int) -> int:
        """A copy of an address space; of one that was lost with its manager, nothing."""
        try:
            return self._addresses.inherit(parent, child, space)
        except ProcessLookupError:
            return space


def _beginning(pid: int, found: Executable, order: Order, space: int) -> Beginning:
    return Beginning(
        pid, found.program, found.arguments, order.environment, order.descriptors, space
    )


def _name(order: Order) -> str:
    return (order.arguments or (order.path,))[0].rpartition("/")[2]


def check_size(order: Order) -> None:
    """E2BIG and EMFILE for more than a program is given."""
    size = sum(len(text) + 1 for text in order.arguments)
    size += sum(len(name) + len(value) + 2 for name, value in order.environment)
    if size > ARG_MAX:
        raise fail(errno.E2BIG, order.path)
    if len(order.descriptors) > DESCRIPTORS:
        raise fail(errno.EMFILE)
