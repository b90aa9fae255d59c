"""What a system needs of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from kernels.desk import Passages
from kernels.request import Carrier
from kernels.status import Counts, Event, ServerStatus
from twinos import Bind, Caller, Region, Service
from twinos.mailbox import Counter


class Kernel(Protocol):
    """What a system needs of a kernel: the kernel seen from a user's address space."""

    def enrol(self, uid: int, gid: int, groups: tuple[int, ...]) -> Caller:
        """A new caller."""

    def dismiss(self, caller: Caller) -> None:
        """`caller` asks no more; services free what they kept for it."""

    def binder(self, service: type[Service], caller: Caller) -> Bind:
        """How a request of `caller` is delivered to `service`."""

    def carrier(self, service: type[Service], caller: Caller) -> Carrier:
        """How several requests of `caller` to `service` travel together."""

    def region(self, service: type[Service], name: str, caller: Caller) -> Region:
        """A grant of the region that the parameter `name` of the service's constructor gets."""

    def mailbox(self, caller: Caller, name: str) -> Counter:
        """A party of MINIX's message passing."""

    def counts(self) -> Counts:
        """Messages so far."""

    def status(self) -> tuple[ServerStatus, ...]:
        """How the address spaces with services are, callees first."""

    def events(self) -> tuple[Event, ...]:
        """What has happened to them lately, oldest first."""

    def passages(self) -> Mapping[str, Passages]:
        """What came of those who wanted to enter, by address space, if a scheduler decides."""

    def interrupts(self) -> Mapping[str, int]:
        """Interrupts since boot, by driver."""

    def interrupt(self, driver: type[Service]) -> None:
        """Have a driver's device raise its line. EINVAL: it has none; EPERM."""

    def update(self, service: type[Service], code: object, probation: float) -> None:
        """Replace the code of a running service. UpdateError; ENOTSUP, EBUSY."""

    def switches(self) -> int:
        """Context switches of its processes that have ended."""

    def process(self, caller: Caller, function: Callable[..., Any], *arguments: Any) -> Process:
        """Run `function(user, *arguments)` in a process of its own, with `caller`'s credentials."""

    def fork(self, caller: Caller, child: int) -> bool:
        """Fork this program; whether this is the child, who acts for the caller `child`."""

    def close(self) -> None:
        """Shut the system down in good order."""


class Process(Protocol):
    """A user program in a process of its own."""

    pid: int

    def join(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit status, negative for the signal that killed it.

        Raises:
            TimeoutError: it still runs after `timeout` seconds.
        """

    def kill(self) -> None:
        """End it at once."""
