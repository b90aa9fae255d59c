"""A process, as the program that runs in it has it: its system calls, by the names of `os`."""

import errno
import signal as host_signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from io import TextIOWrapper
from typing import NoReturn

from servers.clock import Clock
from servers.filesystem import FileSystem
from servers.memory import MAP_SHARED, PROT_READ, AddressSpace, MemoryManager
from servers.process.handling import Handling
from servers.process.manager import ProcessManager
from servers.process.streams import Raw, text
from servers.process.table import Beginning, Descriptor, Order
from servers.process.user import S, User
from twinos import ServerDied, Service, fail

KEYBOARD = Descriptor(0, "Console", 0), Descriptor(1, "Console", 1), Descriptor(2, "Console", 2)
"""Standard streams that are the console."""


class Process(Handling):
    """A running program: who it is, what it has open, and what it can ask for.

        def main(process: Process, *arguments: str) -> int:
            for path in arguments:
                fd = process.open(path)
                while data := process.read(fd, 4096):
                    process.write(1, data)
                process.close(fd)
            return 0

    Args:
        user: its handles to services.
        beginning: what it was told when it began.

    Attributes:
        pid: its id.
        name: how it was called.
        environ: its environment.
        is_program: whether the system started it; who booted the system runs by itself.
        exiting: what is done last, before it ends by itself.
    """

    def __init__(self, user: User, beginning: Beginning) -> None:
        super().__init__(user, beginning)
        self.name = beginning.arguments[0]
        self.environ = dict(beginning.environment)
        self.is_program = bool(beginning.program)
        self._space = beginning.space
        self.exiting: list[Callable[[], None]] = [self._flush]

    @classmethod
    def enter(cls, user: User, command: str, environment: Mapping[str, str]) -> "Process":
        """Become a process of the system: for whoever booted it. See `ProcessManager.register`."""
        pid = user[ProcessManager].register(command)
        return cls(user, Beginning(pid, "", (command,), tuple(environment.items()), KEYBOARD))

    def read(self, fd: int, length: int) -> bytes:
        """Read up to `length` bytes; none at the end. EBADF and whatever its service says."""
        return self.description(fd).read(length)

    def write(self, fd: int, data: bytes) -> int:
        """Write; how many bytes. EPIPE, after SIGPIPE, if nobody reads; EBADF; ENOSPC and alike."""
        try:
            return self.description(fd).write(data)
        except BrokenPipeError as error:
            if error.errno == errno.EPIPE:
                self.raise_signal(host_signal.SIGPIPE)
            raise

    def write_all(self, fd: int, data: bytes) -> None:
        """Write all of `data`."""
        while data:
            data = data[self.write(fd, data) :]

    def spawn(
        self,
        path: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        descriptors: Mapping[int, int] | None = None,
        group: int = -1,
        directory: str = "",
        user: tuple[int, int, tuple[int, ...]] | None = None,
        heeded: int = 0,
    ) -> int:
        """Start a program as a child; its pid. See `ProcessManager.spawn` for the errors.

        Args:
            path: the program's file.
            arguments: its name and its arguments.
            environment: None: this process's.
            descriptors: ours by the child's number; None: all that are inheritable, as they are.
            group: its process group: 0, a new one; -1, this process's.
            directory: its working directory; empty: this process's.
            user: its user, group and supplementary groups; None: this process's.
            heeded: signals that it is not to ignore though this process does: a set.
        """
        given = self.environ if environment is None else environment
        return self._manager.spawn(
            Order(
                path,
                tuple(arguments),
                tuple(given.items()),
                self.passed(descriptors),
                group,
                directory,
                user,
                heeded,
            )
        )

    def fork(self) -> int:
        """Become two processes: the pid of the child is returned, and in the child 0.

            if process.fork() == 0:
                process.exit(42)

        The child is a copy that goes on from here: with the same descriptors, which share their
        positions, the same handlers, and a copy of `memory`. Only the calling thread goes on. What
        a stream still holds both will write, as everywhere. See `ProcessManager.fork`.

        Raises:
            OSError: EAGAIN: there are too many processes, or the host has no room; ENOMEM; ENOSYS:
                this program runs in the kernel's process; EPERM: it was not started by `spawn`.
        """
        pid, caller, space = self._manager.fork(self.all_passed())
        try:
            is_child = self._user.fork(caller)
        except OSError:
            self.waitpid(pid)
            raise
        if not is_child:
            return pid
        self.pid, self._space = pid, space
        if "memory" in self.__dict__:
            self.memory.move(space)
        return 0

    def exec(
        self,
        path: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        descriptors: Mapping[int, int] | None = None,
    ) -> NoReturn:
        """Put another program in the place of this one, after execve(2). It does not come back.

        Descriptors stay, those apart that are not inheritable, or as `descriptors` says; handlers
        don't. What a stream still holds is lost, as everywhere. For the arguments see `spawn`, for
        the errors `ProcessManager.exec`.
        """
        given = self.environ if environment is None else environment
        kept = self.passed(descriptors)
        handles = {(service, handle) for _, service, handle in kept}
        left = {one[1:]: one for one in self.all_passed() if one[1:] not in handles}
        self._manager.exec(
            Order(path, tuple(arguments), tuple(given.items()), kept), tuple(left.values())
        )
        raise AssertionError(path)  # the kernel has ended this process

    def waitpid(self, pid: int, options: int = 0) -> tuple[int, int]:
        """Wait for a child: its pid and status. See `ProcessManager.waitpid`."""
        while True:
            try:
                return self._manager.waitpid(pid, options)
            except ServerDied:
                continue  # the new manager knows what the old one knew

    def sleep(self, seconds: float) -> None:
        """Wait; handlers run meanwhile. EINVAL."""
        self._user[Clock].sleep(seconds)

    @property
    def manager(self) -> ProcessManager:
        """Groups, sessions, masks and what else there is to ask."""
        return self._manager

    def service(self, service: type[S]) -> S:
        """The handle of any other service."""
        return self._user[service]

    @property
    def services(self) -> tuple[type[Service], ...]:
        """What the system has."""
        return self._user.services

    @cached_property
    def memory(self) -> AddressSpace:
        """The address space of this process: its text, data and stack, and what it maps."""
        frames, tables = (self._user.region(MemoryManager, n) for n in ("frames", "tables"))
        files = self._user.region(FileSystem, "pages")
        return AddressSpace(
            self._user[MemoryManager], frames, tables, number=self._space or None, files=files
        )

    def mmap(
        self,
        fd: int,
        length: int,
        prot: int = PROT_READ,
        flags: int = MAP_SHARED,
        offset: int = 0,
    ) -> int:
        """Map a file that this process has open into its `memory`; where. ENODEV: it is none."""
        found = self.description(fd)
        if found.service != FileSystem.__name__:
            raise fail(errno.ENODEV)
        return self.memory.mmap(length, prot, flags, fd=found.handle, offset=offset)

    @cached_property
    def stdin(self) -> TextIOWrapper:
        """Standard input, as text; `.buffer` has the bytes."""
        return text(Raw(self, 0, writes=False), lines=False)

    @cached_property
    def stdout(self) -> TextIOWrapper:
        """Standard output, written line by line to a person, else in larger pieces."""
        return text(Raw(self, 1, writes=True), lines=1 in self._open and self.isatty(1))

    @cached_property
    def stderr(self) -> TextIOWrapper:
        """Standard error, written line by line."""
        return text(Raw(self, 2, writes=True), lines=True)

    def complain(self, what: str, error: BaseException | None = None) -> int:
        """Say `NAME: WHAT: REASON` on standard error; the status of a failure."""
        self._flush()
        reason = f": {reason_of(error)}" if error is not None else ""
        self.stderr.write(f"{self.name}: {what}{reason}\n")
        return 1

    def exit(self, status: int = 0) -> NoReturn:
        """End this program: what its streams hold is written, and `main` is left."""
        raise SystemExit(status)

    def leave(self, status: int) -> None:
        """Close everything, and tell the process manager how it ended."""
        self.close_all()
        with suppress(ProcessLookupError):
            self._manager.exit(status)

    def _flush(self) -> None:
        for name in ("stdout", "stderr"):
            if name in self.__dict__:
                self.__dict__[name].flush()


def reason_of(error: BaseException) -> str:
    """An error as programs tell it: the host's text for the errno."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
