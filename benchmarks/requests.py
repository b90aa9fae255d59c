"""What requests cost in raw pipe round trips: `python benchmarks/requests.py [--placement two]`.

Short slices of each take turns in one run, so that what the host does to one it does to all. Of
each the first decile of its slices is compared: what others on the host take is not in it; the
medians are shown beside it.
"""

import argparse
import itertools
import os
import statistics
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from kernels import System, boot
from kernels.transports import TRANSPORTS
from lab import timing
from lab.floors import method_call, pipe_round_trip
from lab.placement import choose, pin
from servers.filesystem import FileSystem
from twinos import Service, op

BLOCK: Final = bytes(4096)
MEBIBYTE: Final = 1 << 20
MANY: Final = 64
TIMES: Final = 8.0
"""How many times the throughput of one request at a time so many have at least: the aim."""
COPIES: Final = 3.0
"""What 1 MiB of a file costs at most, in copies of 1 MiB in one process: the aim."""


class Probe(Service):
    """Does nothing, with arguments of several kinds."""

    @op
    def null(self) -> None:
        """Nothing."""

    @op(idempotent=True)
    def again(self) -> None:
        """Nothing, that may be asked again."""

    @op
    def named(self, path: str, number: int) -> int:
        """The number."""
        del path
        return number

    @op
    def write(self, data: bytes) -> int:
        """How many there were."""
        return len(data)

    @op
    def read(self, count: int) -> bytes:
        """So many bytes of one block."""
        return BLOCK[:count]


def compare(calls: Mapping[str, Callable[[], Any]], slices: int, per_slice: int) -> None:
    """Time all of them, and print each as a multiple of the first."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(slices):
        for name, call in calls.items():
            call()  # the others have cooled the caches
            taken[name].append(timing.time_slice(call, per_slice) / per_slice)
    deciles = {name: sorted(values)[len(values) // 10] for name, values in taken.items()}
    medians = {name: statistics.median(values) for name, values in taken.items()}
    floor, middle = next(iter(deciles.values())), next(iter(medians.values()))
    for name in calls:
        print(  # noqa: T201 (a program)
            f"{name:<20} {deciles[name] / 1000:8.3f} µs  {deciles[name] / floor:6.3f}"
            f"   median {medians[name] / 1000:8.3f} µs  {medians[name] / middle:6.3f}"
        )


def requests(system: System) -> dict[str, Callable[[], Any]]:
    """One request of each kind."""
    probe = system[Probe]
    named, write, read = probe.named, probe.write, probe.read
    return {
        "null": probe.null,
        "null, repeatable": probe.again,
        "path and integer": lambda: named("/home/user/file", 7),
        "4 KiB written": lambda: write(BLOCK),
        "4 KiB read": lambda: read(4096),
    }


def many(system: System) -> dict[str, Callable[[], Any]]:
    """So many null requests, one by one and in one message."""
    null, later = system[Probe].null, system.batch(MANY)

    def batched() -> None:
        made = [later(null) for _ in range(MANY)]
        for each in made:
            each.result()

    def one_by_one() -> None:
        for _ in range(MANY):
            null()

    return {f"{MANY} requests": one_by_one, f"at once (<= 1/{TIMES:g})": batched}


def bulk(system: System) -> dict[str, Callable[[], Any]]:
    """1 MiB copied in this process, read from a file, and written to one."""
    files = system[FileSystem]
    fd = files.open("/mebibytes", os.O_RDWR | os.O_CREAT)
    data = os.urandom(MEBIBYTE)
    for place in range(4):
        files.pwrite(fd, data[place:] + data[:place], place * MEBIBYTE)
    if files.pread(fd, MEBIBYTE, 0) != data:
        raise SystemExit("what was read is not what was written")
    source = bytearray(data)
    places = itertools.cycle(range(0, 4 * MEBIBYTE, MEBIBYTE))
    return {
        "1 MiB copied": lambda: bytes(source),
        f"read again (<= {COPIES:g})": lambda: files.pread(fd, MEBIBYTE, 0),
        "read on": lambda: files.pread(fd, MEBIBYTE, next(places)),
        "written": lambda: files.pwrite(fd, data, 0),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--placement", choices=("one", "two"), default="one")
    parser.add_argument("--transport", choices=tuple(TRANSPORTS), default="pipe")
    parser.add_argument(
        "--clients", type=int, default=0, help="others that have asked, and are idle"
    )
    parser.add_argument("--slices", type=int, default=800)
    asked = parser.parse_args()
    cpus = choose(asked.placement)
    pin(cpus.user)
    with pipe_round_trip(cpus) as round_trip, ExitStack() as stack:
        system = stack.enter_context(
            boot("microkernel", Probe, FileSystem, cpus={cpus.server}, transport=asked.transport)
        )
        for _ in range(asked.clients):
            stack.enter_context(system.user())[Probe].null()
        compare({"raw pipe": round_trip, **requests(system)}, asked.slices, 40)
        compare(many(system), asked.slices // 2, 1)
        compare(bulk(system), asked.slices // 2, 5)
    with boot("monolithic", Probe) as system:
        calls = {"method call": method_call(), "null, monolithic": system[Probe].null}
        compare(calls, asked.slices // 2, 500)


if __name__ == "__main__":
    main()
