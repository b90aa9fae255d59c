"""What a request costs when many clients ask at the same time: `python benchmarks/clients.py`.

All processes share one CPU. Beside a server with N clients stand N raw pipes with a process at each
end, which share nothing but the CPU: what those lose is the host's (caches and run queues), the
rest is the server's. And the null request of one client, with and without idle ones: that many can
be served may not slow it by more than 10 %. Rounds of each take turns; the median is shown.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from kernels import System, boot
from lab.floors import pipe_round_trip
from lab.placement import Cpus, choose, pin
from twinos import Service, op

COUNTS: Final = (1, 2, 4, 8, 16)
AIM: Final = 1.1
"""What one client's request costs beside idle clients, over what it costs alone: at most."""


ALONE: Final = "alone"
Work = Callable[[ExitStack], Callable[[], Any]]
"""Makes what a process does again and again."""


class Null(Service):
    """Does nothing."""

    @op
    def null(self) -> None:
        """Nothing."""


class Pack:
    """Processes that do the same at the same time.

    Args:
        work: makes what each of them does again and again.
        count: how many there are.
        calls: how often they do it in a round.
    """

    def __init__(self, work: Work, count: int, calls: int) -> None:
        self._calls = calls
        self._go, self._told = [], os.pipe()
        self._pids = [self._start(work) for _ in range(count)]
        for _ in self._pids:
            os.read(self._told[0], 1)

    def _start(self, work: Work) -> int:
        source, sink = os.pipe()
        pid = os.fork()
        if pid:
            os.close(source)
            self._go.append(sink)
            return pid
        for other in (sink, *self._go):
            os.close(other)
        with ExitStack() as stack:
            call = work(stack)
            for _ in range(100):
                call()
            os.write(self._told[1], b"r")
            while os.read(source, 1) == b"g":
                for _ in range(self._calls):
                    call()
                os.write(self._told[1], b"d")
        os._exit(0)

    def round(self) -> float:
        """Microseconds that one call took, over all."""
        start = time.perf_counter_ns()
        for sink in self._go:
            os.write(sink, b"g")
        for _ in self._pids:
            os.read(self._told[0], 1)
        return (time.perf_counter_ns() - start) / 1000 / self._calls / len(self._pids)

    def close(self) -> None:
        """End them."""
        for sink in self._go:
            os.write(sink, b"q")  # others have inherited it: it can't be closed
            os.close(sink)
        for pid in self._pids:
            os.waitpid(pid, 0)


@contextmanager
def packs(work: Work, calls: int, counts: Sequence[int]) -> Iterator[dict[int, Pack]]:
    """One of each size."""
    made = {count: Pack(work, count, calls) for count in counts}
    try:
        yield made
    finally:
        for pack in made.values():
            pack.close()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--transport", default="pipe")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--calls", type=int, default=200)
    asked = parser.parse_args()
    cpus = choose("one")
    pin(cpus.user)
    times: dict[tuple[str, int], list[float]] = {}
    with ExitStack() as stack:
        systems = [
            stack.enter_context(
                boot("microkernel", Null, cpus={cpus.server}, transport=asked.transport)
            )
            for _ in range(2)
        ]

        def asking(system: System) -> Work:
            # Of a caller of its own: the process is forked.
            return lambda _: system[Null].null

        def piping(of_process: ExitStack) -> Callable[[], Any]:
            return of_process.enter_context(pipe_round_trip(Cpus(cpus.user, cpus.server)))

        groups = {
            ALONE: stack.enter_context(packs(asking(systems[0]), asked.calls, (1,))),
            "request": stack.enter_context(packs(asking(systems[1]), asked.calls, COUNTS)),
            "raw pipe": stack.enter_context(packs(piping, asked.calls, COUNTS)),
        }
        for _ in range(asked.rounds):
            for name, group in groups.items():
                for count, pack in group.items():
                    times.setdefault((name, count), []).append(pack.round())
    show(times)


def show(times: Mapping[tuple[str, int], list[float]]) -> None:
    """Print the table."""
    medians = {key: statistics.median(values) for key, values in times.items()}
    idle = sum(COUNTS) - 1
    ratio = medians["request", 1] / medians[ALONE, 1]
    print(f"one client beside {idle} idle ones, over one alone: {ratio:.3f}, aim {AIM:g}")  # noqa: T201 (a program)
    for (name, count), found in medians.items():
        over = found / medians[name, 1]
        print(f"{name:<8} {count:>3} active {found:8.2f} µs each {over:6.2f}")  # noqa: T201 (a program)


if __name__ == "__main__":
    main()
