"""Handlers of signals: what a process does when one comes, and how it sends some."""

import signal as host_signal
from collections.abc import Callable
from typing import Any

from servers.process.descriptors import Descriptors
from servers.process.manager import ProcessManager
from servers.process.signals import CATCH, CHILD, DEFAULT, IGNORE
from servers.process.table import Beginning
from servers.process.user import User

Handler = Callable[[int], Any]


class Handling(Descriptors):
    """A process's signals, above its descriptors.

    Args:
        user: its handles to services.
        beginning: what it was told when it began.
    """

    def __init__(self, user: User, beginning: Beginning) -> None:
        super().__init__(user, beginning.descriptors)
        self.pid = beginning.pid
        self._manager = user[ProcessManager]
        self._handlers: dict[int, Handler] = {}
        self._actions: dict[int, int] = {}
        self._due = self._delivering = False

    def kill(self, pid: int, signal: int) -> None:
        """Send a signal: EINVAL, ESRCH, EPERM."""
        self._manager.kill(pid, signal)
        if pid <= 0 or pid == self.pid:
            self.deliver()

    def raise_signal(self, signal: int) -> None:
        """Send a signal to this process; return when it has been dealt with."""
        if self._actions.get(signal) == IGNORE:
            return
        self._manager.kill(self.pid, signal)
        self.deliver()
        if signal not in self._actions and signal != CHILD:
            self._manager.pause()  # until the host has ended it

    def signal(self, number: int, handler: Handler | int) -> None:
        """Say what to do about a signal: SIG_DFL, SIG_IGN, or call `handler(number)`.

        What waits goes on waiting after the handler, unless that raises. Only in the main thread.
        EINVAL.
        """
        action = {host_signal.SIG_DFL: DEFAULT, host_signal.SIG_IGN: IGNORE}.get(handler, CATCH)  # type: ignore[call-overload]  # handlers are no Handlers
        if action == CATCH:
            self._user.listen(self.deliver)
            self._handlers[number] = handler  # type: ignore[assignment]  # it is callable
        self._manager.sigaction(number, action)
        self._actions[number] = action
        if not action:
            del self._actions[number]
        if number == host_signal.SIGXCPU:  # the host itself sends it; see `Limits`
            taken = {DEFAULT: host_signal.SIG_DFL, IGNORE: host_signal.SIG_IGN}
            host_signal.signal(number, taken.get(action, self._overdrawn))

    def deliver(self) -> None:
        """Call the handlers of signals that have come."""
        self._due = True
        while self._due and not self._delivering:  # handlers don't interrupt each other
            self._due, self._delivering = False, True
            try:
                self._handle(self._manager.deliver())
            finally:
                self._delivering = False

    def _handle(self, came: tuple[int, ...]) -> None:
        for number in came:
            handler = self._handlers.get(number)
            if handler is not None and self._actions.get(number) == CATCH:
                handler(number)
            elif number not in self._actions:
                raise Killed(number)

    def alarm(self, seconds: float) -> float:
        """Have SIGALRM sent to this process after `seconds`; see `ProcessManager.alarm`."""
        self._user.listen(self.deliver)
        return self._manager.alarm(seconds)

    def _overdrawn(self, _number: int, _frame: object) -> None:
        self.raise_signal(host_signal.SIGXCPU)


class Killed(BaseException):
    """A signal ends a process that runs by itself, and so must do it itself.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
