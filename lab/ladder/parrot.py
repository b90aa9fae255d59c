"""The workload of the ladder: a service that says what it is told."""

from twinos import Service, op


class Parrot(Service):
    """Says what it is told."""

    @op
    def say(self, data: bytes) -> bytes:
        """The same bytes."""
        return data
