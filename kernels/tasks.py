"""What a service gets that names `Tasks`: the nucleus does the work, where there is one."""

import errno
from collections.abc import Callable
from typing import Any, NoReturn

from kernels.agent import Agent
from kernels.control import Ended, Renice, Send, Start, Started, Status
from twinos import KernelPanic, Task


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
        memory: int,
    ) -> Task:
        """See `Tasks`."""
        ask = Start(f"{main.__module__}:{main.__qualname__}", name, *credentials, memory)
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
        memory: int,
    ) -> Task:
        """See `Tasks`."""
        del main, name, credentials, memory
        _refuse()

    def signal(self, caller: int, number: int) -> None:
        """See `Tasks`."""
        del caller, number
        _refuse()

    def renice(self, caller: int, nice: int) -> None:
        """See `Tasks`."""
        del caller, nice
        _refuse()

    def status(self, caller: int) -> int:
        """See `Tasks`."""
        del caller
        _refuse()


def _refuse() -> NoReturn:
    text = "this kernel lives in its user's own process: boot it with users='process'"
    raise OSError(errno.ENOSYS, text)
