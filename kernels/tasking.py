"""What a service that manages processes asks of the kernel, and is told; see `kernels.control`."""

from kernels.asking import Answer, Ask
from twinos import Caller
from twinos.tasks import Limits


class Start(Ask, frozen=True):
    """Asks, from a service that may, to start a function as somebody's program."""

    main: str
    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    limits: Limits


class Replace(Ask, frozen=True):
    """Asks, from such a service, to start a function in place of a caller's program."""

    caller: int
    main: str
    name: str
    limits: Limits


class Bear(Ask, frozen=True):
    """Asks, from such a service, for a caller that a program is about to fork."""

    parent: int


class Host(Ask, frozen=True):
    """Asks, from such a service, for the process of a program on the host."""

    caller: int


class Renice(Ask, frozen=True):
    """Asks, from such a service, to set how nice a program is."""

    caller: int
    nice: int


class Send(Ask, frozen=True):
    """Asks, from such a service, to send a signal of the host to a caller's process."""

    caller: int
    signal: int


class Status(Ask, frozen=True):
    """Asks, from such a service, how a program ended."""

    caller: int


class Started(Answer, frozen=True):
    """The program runs, as this caller and in this process of the host."""

    caller: Caller
    host: int


class Ended(Answer, frozen=True):
    """How a program ended: its exit status, or minus the signal that killed it."""

    status: int


Tasking = Start | Replace | Bear | Host | Send | Renice | Status
