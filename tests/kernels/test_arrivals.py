"""Messages counted where they arrive."""

import pytest

from kernels import boot
from kernels.arrivals import Arrivals
from twinos import Service, op


class Counting(Service):
    """Counts by itself what it is asked by."""

    def __init__(self) -> None:
        self._arrivals = Arrivals()

    @op
    def so_far(self) -> int:
        """How many messages have come, this one included."""
        return self._arrivals.number

    @op
    def echo(self, data: bytes) -> bytes:
        """The same."""
        return data


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_a_bundle_is_one(kernel: str) -> None:
    with boot(kernel, Counting, users="process") as system, system.user() as other:
        service = system[Counting]
        assert service.so_far() == 1
        for size in (0, 1, 5000, 300_000):  # straight, by grant, and in pieces
            service.echo(bytes(size))
        assert service.so_far() == 6
        with other.batch() as later:
            for _ in range(50):
                later(other[Counting].echo, b"x" * 100)
        assert service.so_far() == 8


def test_calls_are_no_messages() -> None:
    with boot("monolithic", Counting) as system:
        system[Counting].echo(b"")
        assert system[Counting].so_far() == 0
