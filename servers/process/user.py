"""What a process needs of whoever runs it: handles to services."""

from typing import Protocol, TypeVar

from twinos import Region, Service

S = TypeVar("S", bound=Service)


class User(Protocol):
    """Somebody who uses a system, as `kernels.User` does."""

    def __getitem__(self, service: type[S]) -> S:
        """The handle of a service."""

    def region(self, service: type[Service], name: str) -> Region:
        """Memory that a service shares."""
