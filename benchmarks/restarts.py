"""How long it takes until somebody answers again: `python benchmarks/restarts.py [--large]`.

A server is killed (kill -9), and asked at once; beside it stands what the host needs for a bare
fork whose child says one byte, from the process that boots. `--large` makes that process 200 MiB
large, with four threads more. Rounds take turns; medians are shown. The aim is 3 times the bare
fork.

Then a server is stopped (SIGSTOP): how long until the next life answers; the aim is 250 ms. And one
is slow, 50 ms a request, while it is watched: it must not be taken for dead.
"""

import argparse
import os
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from kernels import System, boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from twinos import Journal, Service, Supervision, op

ROUNDS: Final = 60
STOPS: Final = 20
SLOW: Final = 60
BALLAST: Final = 200 << 20
OFTEN: Final = Supervision(at_once=10**6, most=10**6, hang=0.5)


class Plain(Service, supervision=OFTEN):
    """Has no state; its requests may take a while."""

    @op(idempotent=True)
    def after(self, seconds: float) -> None:
        """Return later."""
        time.sleep(seconds)


class Counter(Service, supervision=OFTEN):
    """Has a state, which survives."""

    def __init__(self, journal: Journal) -> None:
        del journal  # the kernel keeps it
        self._count = 0

    def _saved(self) -> bytes:
        return self._count.to_bytes(8, "little")

    def _restored(self, saved: bytes) -> None:
        self._count = int.from_bytes(saved, "little")

    @op
    def add(self) -> int:
        """How many there were."""
        self._count += 1
        return self._count


class Files(FileSystem, supervision=OFTEN):
    """The file system, however often it dies."""


def bare_fork() -> float:
    """Seconds from a fork to the child's first byte."""
    source, sink = os.pipe()
    began = time.perf_counter()
    pid = os.fork()
    if not pid:
        os.write(sink, b"x")
        os._exit(0)
    os.read(source, 1)
    took = time.perf_counter() - began
    os.waitpid(pid, 0)
    os.close(source)
    os.close(sink)
    return took


def until_answer(system: System, name: str, number: int, ask: Callable[[], object]) -> float:
    """Seconds from a signal to a server until the next life answers."""
    pid = next(server.pid for server in system.status() if name in server.services)
    began = time.perf_counter()
    os.kill(pid, number)
    ask()
    return time.perf_counter() - began


def restarts(system: System, name: str) -> int:
    """Lives that a server has ended so far."""
    return next(server.restarts for server in system.status() if name in server.services)


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--large", action="store_true", help="boot from a large process of threads")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    ballast = bytearray(os.urandom(1 << 20) * (BALLAST >> 20)) if arguments.large else bytearray()
    over = threading.Event()
    for _ in range(4 if arguments.large else 0):
        threading.Thread(target=over.wait, daemon=True).start()
    with boot("microkernel", Plain, Counter, Files, config={Disk: {"blocks": 4096}}) as system:
        plain, counter, files = system[Plain], system[Counter], system[Files]
        descriptor = files.open("/f", os.O_RDWR | os.O_CREAT)
        asks: dict[str, Callable[[], object]] = {
            "Plain": lambda: plain.after(0.0),
            "Counter": counter.add,
            "Files": lambda: files.write(descriptor, b"x" * 100),
        }
        forks: list[float] = []
        times: dict[str, list[float]] = {name: [] for name in asks}
        for _ in range(arguments.rounds):
            forks.append(bare_fork())
            for name, ask in asks.items():
                ask()
                times[name].append(until_answer(system, name, signal.SIGKILL, ask))
        bare = statistics.median(forks)
        print(f"bare fork of this process: {bare * 1e3:.2f} ms")  # noqa: T201 (the result)
        for name, measured in times.items():
            middle = statistics.median(measured)
            print(f"{name}, killed: {middle * 1e3:.2f} ms, {middle / bare:.2f} of a bare fork")  # noqa: T201 (the result)
        stops = [until_answer(system, "Counter", signal.SIGSTOP, counter.add) for _ in range(STOPS)]
        middle, longest = statistics.median(stops) * 1e3, max(stops) * 1e3
        print(f"Counter, stopped: {middle:.1f} ms, {longest:.1f} at most")  # noqa: T201 (the result)
        before = restarts(system, "Plain")
        for _ in range(SLOW):
            plain.after(0.05)
        died = before != restarts(system, "Plain")
        print(f"Plain, {SLOW} requests of 50 ms: {'taken for dead' if died else 'lives'}")  # noqa: T201 (the result)
    over.set()
    del ballast
    return 0


if __name__ == "__main__":
    sys.exit(main())
