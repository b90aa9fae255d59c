"""The workloads of the ladder: services that do next to nothing."""

from twinos import Service, op


class Parrot(Service):
    """Says what it is told."""

    @op
    def say(self, data: bytes) -> bytes:
        """The same bytes."""
        return data


class Probe(Service):
    """Does nothing, with arguments of several kinds."""

    @op
    def null(self) -> None:
        """Nothing."""

    @op
    def named(self, path: str, number: int) -> int:
        """The number."""
        del path
        return number

    @op
    def write(self, data: bytes) -> int:
        """How many there were."""
        return len(data)
