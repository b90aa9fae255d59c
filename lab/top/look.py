"""What is seen of a running system at a moment."""

from typing import NamedTuple

from servers.memory.accounts import MemoryInfo
from servers.process import ProcessInfo


class ServiceLook(NamedTuple):
    """A service, and the address space in which it lives.

    What is of the whole space (`rate` to `resident`) is told with its first service; with the
    others it is None.

    Attributes:
        name: the service's.
        state: see `ServerStatus`; "panicked": with the kernel that it was part of.
        pid: the process of the host; 0: none at the moment.
        restarts: lives before this one.
        rate: requests a second that entered the space.
        waiting: how many stand before its gate now.
        wait: microseconds that one stood there, on average since the last look.
        cpu: the share of a processor that it took since the last look.
        resident: bytes of the host's memory.
    """

    name: str
    state: str
    pid: int
    restarts: int
    rate: float | None = None
    waiting: int | None = None
    wait: float | None = None
    cpu: float | None = None
    resident: int | None = None


class Rates(NamedTuple):
    """What happened a second, all spaces together. Messages are those between spaces."""

    messages: float
    bytes: float
    interrupts: float


class Answers(NamedTuple):
    """What services said when they were asked; asking is a request like any other.

    Attributes:
        processes: the process table.
        memory: the machine's memory; None: not heard of yet.
        time: when that was, in seconds of the monotonic clock.
    """

    processes: tuple[ProcessInfo, ...]
    memory: MemoryInfo | None
    time: float


class Look(NamedTuple):
    """A system at a moment.

    Attributes:
        kernel: as it was named.
        uptime: seconds since boot.
        services: callees first.
        rates: since the last look.
        answers: the last that services gave.
        silence: seconds since then.
        events: what has happened to servers, oldest first, a line each.
        panic: why the kernel is no more; empty: it is.
    """

    kernel: str
    uptime: float
    services: tuple[ServiceLook, ...]
    rates: Rates
    answers: Answers
    silence: float
    events: tuple[str, ...]
    panic: str
