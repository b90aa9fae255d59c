"""What a kernel tells of itself: messages, servers, and what has happened to them."""

from typing import NamedTuple


class Counts(NamedTuple):
    """What crossed between address spaces since boot. A request and its reply are two messages."""

    messages: int
    bytes: int


class ServerStatus(NamedTuple):
    """How an address space with services is.

    Attributes:
        services: their names.
        state: "running", "starting", "resting" (before the next life), or "given up".
        pid: its process; 0: none at the moment.
        restarts: lives before this one.
        uptime: seconds that this life has lasted.
        verdict: why the last life ended; empty if this is the first.
    """

    services: tuple[str, ...]
    state: str
    pid: int
    restarts: int
    uptime: float
    verdict: str


class Event(NamedTuple):
    """Something that happened to a server.

    Attributes:
        time: when, in seconds since 1970.
        server: its services' names, joined by +.
        what: a clause: "started", "died: killed by SIGKILL".
    """

    time: float
    server: str
    what: str
