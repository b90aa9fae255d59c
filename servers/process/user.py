"""What a process needs of whoever runs it: handles to services."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from twinos import Region, Service

S = TypeVar("S", bound=Service)


class User(Protocol):
    """Somebody who uses a system, as `kernels.User` does."""

    services: tuple[type[Service], ...]

    def __getitem__(self, service: type[S]) -> S:
        """The handle of a service."""

    def listen(self, poked: Callable[[], None]) -> None:
        """Have a function called when a service has the kernel poke this process."""

    def fork(self, child: int) -> bool:
        """Fork this process; whether this is the child, who is the caller `child` from now on."""

    def region(self, service: type[Service], name: str) -> Region:
        """Memory that a service shares."""
