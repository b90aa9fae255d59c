"""What a service gets that names `Tasks`: the nucleus does the work, where there is one."""

import errno
from collections.abc import Callable
from typing import Any, NoReturn

from kernels.agent import Agent
from kernels.asking import Ask
from kernels.control import Granted
from kernels.tasking import Bear, Ended, Host, Renice, Replace, Send, Start, Started, Status
from twinos import Caller, KernelPanic, Task
from twinos.tasks import Limits


class RemoteTasks:
    """Asks the nucleus.

    Args:
        agent: the server's.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def start(
        self,
        main: Callable[..., Any],
        name: str,
        credentials: tuple[int, int, tuple[int, ...]],
        limits: Limits,
    ) -> Task:
        """See `Tasks`."""
        return self._started(Start(_named(main), name, *credentials, limits))

    def replace(self, caller: int, main: Callable[..., Any], name: str, limits: Limits) -> Task:
        """See `Tasks`."""
        return self._started(Replace(caller, _named(main), name, limits))

    def bear(self, parent: int) -> Caller:
        """See `Tasks`."""
        answer, _ = self._agent.ask(Bear(parent))
        if not isinstance(answer, Granted) or answer.caller is None:
            raise KernelPanic(f"the kernel answered {answer!r}")
        return answer.caller

    def host(self, caller: int) -> int:
        """See `Tasks`."""
        return self._started(Host(caller)).host

    def _started(self, ask: Ask) -> Task:
        answer, _ = self._agent.ask(ask)
        if not isinstance(answer, Started):
            raise KernelPanic(f"the kernel answered {answer!r}")
        return Task(answer.caller, answer.host)

    def signal(self, caller: int, number: int) -> None:
        """See `Tasks`."""
        self._agent.ask(Send(caller, number))

    def renice(self, caller: int, nice: int) -> None:
        """See `Tasks`."""
        self._agent.ask(Renice(caller, nice))

    def status(self, caller: int) -> int:
        """See `Tasks`."""
        answer, _ = self._agent.ask(Status(caller))
        if not isinstance(answer, Ended):
            raise KernelPanic(f"the kernel answered {answer!r}")
        return answer.status


class NoTasks:
    """What it gets from a kernel that lives in its user's own process: there can be no other."""

    def start(
        self,
        main: Callable[..., Any],
        name: str,
        credentials: tuple[int, int, tuple[int, ...]],
        limits: Limits,
    ) -> Task:
        """See `Tasks`."""
        del main, name, credentials, limits
        refuse()

    def replace(self, caller: int, main: Callable[..., Any], name: str, limits: Limits) -> Task:
        """See `Tasks`."""
        del caller, main, name, limits
        refuse()

    def bear(self, parent: int) -> Caller:
        """See `Tasks`."""
        del parent
        refuse()

    def host(self, caller: int) -> int:
        """See `Tasks`."""
        del caller
        refuse()

    def signal(self, caller: int, number: int) -> None:
        """See `Tasks`."""
        del caller, number
        refuse()

    def renice(self, caller: int, nice: int) -> None:
        """See `Tasks`."""
        del caller, nice
        refuse()

    def status(self, caller: int) -> int:
        """See `Tasks`."""
        del caller
        refuse()


def refuse() -> NoReturn:
    """ENOSYS: there is one process, that of the kernel and its user."""
    text = "this kernel lives in its user's own process: boot it with users='process'"
    raise OSError(errno.ENOSYS, text)


def _named(main: Callable[..., Any]) -> str:
    return f"{main.__module__}:{main.__qualname__}"
