"""Tasks: low-level process management, which the kernel does itself.

A service that names `Tasks` in its constructor may have the kernel start host processes, signal
them, and say how they ended. So the wiring is the privilege here, too: one service decides which
programs run (the process manager), and the kernel only does what it says.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from twinos.caller import Caller


class Task(NamedTuple):
    """A host process that the kernel started.

    Attributes:
        caller: who it is when it asks for something; bound to it before its first instruction.
        host: its process id on the host, for accounts.
    """

    caller: Caller
    host: int


class Limits(NamedTuple):
    """What a host process may use of the host.

    Attributes:
        memory: bytes of address space that it may map beside what it starts with.
        cpu: seconds of processor time: then it is sent SIGXCPU, and soon after SIGKILL.
    """

    memory: int
    cpu: int


class Tasks(Protocol):
    """What the kernel does for a service that manages processes.

    Every method fails with ENOSYS under a kernel that lives in its user's own process.
    """

    def start(
        self,
        main: Callable[..., Any],
        name: str,
        credentials: tuple[int, int, tuple[int, ...]],
        limits: Limits,
    ) -> Task:
        """Run `main(user)` in a process of its own, as a new caller with these credentials.

        Its caller's departure is told to every service when it has ended, however it did.

        Args:
            main: a function at the top of a module.
            name: for people: what the host shows of it.
            credentials: user, group and supplementary groups; for ever, unless it is the
                superuser's.
            limits: what it may use.

        Raises:
            OSError: EAGAIN, the host has no room for it.
        """

    def replace(self, caller: int, main: Callable[..., Any], name: str, limits: Limits) -> Task:
        """Run `main(user)` in a fresh process in place of a started one, as the same caller.

        Of the process before nothing is left: it is killed, in the middle of whatever it did, and
        no service is told that its caller departed.

        Args:
            caller: whose process is replaced.
            main: as for `start`.
            name: as for `start`.
            limits: as for `start`.

        Raises:
            OSError: ESRCH, it is gone. EPERM, it runs by itself. EAGAIN, the host has no room.
        """

    def bear(self, parent: int) -> Caller:
        """A new caller, for a process that the process of `parent` is about to fork.

        It has the same credentials. It departs if it is not born: when the parent ends, or when it
        is sent SIGKILL.

        Raises:
            OSError: ESRCH, the parent is gone. EPERM, it runs by itself. EAGAIN, the host has no
                room.
        """

    def host(self, caller: int) -> int:
        """The process id on the host of a started or forked process. ESRCH."""

    def signal(self, caller: int, number: int) -> None:
        """Send a signal of the host to a caller's process.

        One that was not started by `start` can only be sent SIGURG, which is harmless.

        Raises:
            OSError: ESRCH, it is gone. EPERM, another signal for a process that runs by itself.
        """

    def renice(self, caller: int, nice: int) -> None:
        """Set how nice a started process is to others of the host. ESRCH, EACCES."""

    def status(self, caller: int) -> int:
        """How a started process ended: its exit status, or minus the signal that ended it.

        Raises:
            OSError: ESRCH, there is none, it still runs, or it has been asked before.
        """
