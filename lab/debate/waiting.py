"""Experiments on requests that wait: who stands in line, and for whom a slow disk works."""

import random
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any, Final, TypeVar

from kernels import System, boot
from lab.debate.building import parts_of, sizes
from lab.debate.evidence import Finding, Measure, Picture, Setting
from lab.placement import pinned
from lab.refusal import Failure
from lab.stats import median_interval, quantile
from servers.filesystem import FileSystem
from servers.slowdisk import SlowDisk
from servers.slowfiles import OverlappedFileSystem, SlowFileSystem
from twinos import Service
from workloads.overlap import DISK, MEMORY, Reader, fill, run

KERNELS: Final = ("monolithic", "microkernel")
REQUESTS, QUICK_REQUESTS = 192, 64
"""Of all clients together."""
_TAIL: Final = 0.99

W = TypeVar("W")


def queues(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """How many requests stand in line, and how long, while clients read from a slow disk.

    Told from outside, by the same means under both kernels: what a request takes beside others,
    less what it takes alone, it has waited; and as many stand in line on average as requests come
    in a second, times the seconds that each waits (Little's law). Parameters: `clients`, how many
    at once. Measures: `wait CLIENTS, KERNEL`, ms; `depth CLIENTS, KERNEL`; `depth over CLIENTS`,
    the monolithic kernel's over the microkernel's; and those of `lines`.
    """
    found: dict[str, list[float]] = {}
    for seed, kernel in _boots(setting, KERNELS):
        with _system(kernel, SlowFileSystem, setting) as system:
            alone, _ = _in_line(system, 1, _requests(setting), seed)
            for clients in parameters["clients"]:
                latency, rate = _in_line(system, clients, _requests(setting), seed)
                found.setdefault(f"wait {clients}, {kernel}", []).append(1e3 * (latency - alone))
                depth = rate * (latency - alone)
                found.setdefault(f"depth {clients}, {kernel}", []).append(depth)
    measures = [
        _measure(name, values, "ms" * name.startswith("wait"))
        for name, values in sorted(found.items())
    ]
    for clients in parameters["clients"]:
        one, other = (found[f"depth {clients}, {kernel}"] for kernel in KERNELS)
        over = [top / below for top, below in zip(one, other, strict=True)]
        measures.append(_measure(f"depth over {clients}", over))
    return Finding([*measures, *sizes()], notes=["the disk is ten times as fast as one of 2000"])


def _in_line(system: System, clients: int, requests: int, seed: int) -> tuple[float, float]:
    """Seconds that a request takes on average; and requests in a second."""
    with _readers(system, SlowFileSystem, clients, 0, requests, seed) as readers:
        start = time.monotonic()
        _check(run(readers))
        elapsed = time.monotonic() - start
    taken = [each for reader in readers for each in reader.taken]
    return sum(taken) / len(taken) / 1e9, len(taken) / elapsed


def overlap(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """A file system that overlaps waits for the disk, beside one that serves a request at a time.

    Under the microkernel. Parameters: `clients`, how many at once; `hits`, pages of a hundred that
    are in memory; `lines`, names of what overlapping takes. Measures: `time at HITS %, CLIENTS`, of
    the same requests, the overlapping one's over the other's; `p99 at HITS %, CLIENTS`, the same of
    the 99th percentile; `requests a second at HITS %, CLIENTS` of both; and `lines added`.
    """
    ways = (SlowFileSystem, OverlappedFileSystem)
    cases = [(hits, clients) for hits in parameters["hits"] for clients in parameters["clients"]]
    times: dict[tuple[int, int, type[FileSystem]], list[tuple[float, float]]] = {}
    for seed, files in _boots(setting, ways):
        with _system("microkernel", files, setting) as system:
            for hits, clients in cases:
                read = _read(system, files, clients, hits, _requests(setting), seed)
                times.setdefault((hits, clients, files), []).append(read)
    measures: dict[str, Measure] = {}
    for hits, clients in cases:
        where = _case(hits, clients)
        serial, overlapped = (times[hits, clients, way] for way in ways)
        for number, what in enumerate(("time", "p99")):
            pairs = zip(overlapped, serial, strict=True)
            rounds = [top[number] / below[number] for top, below in pairs]
            measures[f"{what} {where}"] = _measure(f"{what} {where}", rounds)
        for which, way in (("one at a time", serial), ("overlapped", overlapped)):
            rates = [_requests(setting) / seconds for seconds, _ in way]
            name = f"requests a second {where}, {which}"
            measures[name] = _measure(name, rates)
    added, _ = parts_of(parameters["lines"])
    return Finding(
        [*measures.values(), Measure("lines added", added, exact=True)],
        notes=["times and percentiles: overlapped over one at a time; below 1 it wins"],
        pictures=[_map(parameters, measures)],
    )


def _case(hits: int, clients: int) -> str:
    return f"at {hits} %, {clients} client{'s' * (clients > 1)}"


def _map(parameters: Mapping[str, Any], measures: Mapping[str, Measure]) -> Picture:
    return Picture(
        "Where overlapping wins",
        "The time of the same requests with overlapped waits over that with one request at a time, "
        "by the number of clients, a line for each share of pages that are in memory. Below 1 "
        "overlapping wins. The table has every value.",
        {
            f"{hits} % in memory": [
                (float(clients), measures[f"time {_case(hits, clients)}"])
                for clients in parameters["clients"]
            ]
            for hits in parameters["hits"]
        },
        across="clients",
        up="times the time of one at a time",
    )


class _Timed(Reader):
    """A reader that takes the time of each request, in ns."""

    def __init__(self, files: FileSystem, number: int, hits: int, requests: int) -> None:
        super().__init__(files, number, hits, requests)
        self.taken: list[int] = []

    def read(self, descriptor: int, page: int) -> bytes:
        start = time.perf_counter_ns()
        data = super().read(descriptor, page)
        self.taken.append(time.perf_counter_ns() - start)
        return data


def _read(
    system: System, files: type[FileSystem], clients: int, hits: int, requests: int, seed: int
) -> tuple[float, float]:
    """Seconds that some requests took, all together; and ns of one at the 99th percentile."""
    with _readers(system, files, clients, hits, requests, seed) as readers:
        start = time.monotonic()
        _check(run(readers))
        taken = time.monotonic() - start
    return taken, quantile([each for reader in readers for each in reader.taken], _TAIL)


@contextmanager
def _readers(
    system: System, files: type[FileSystem], clients: int, hits: int, requests: int, seed: int
) -> Iterator[list[_Timed]]:
    """Some clients, until the block is left."""
    with ExitStack() as leaving:
        users = [leaving.enter_context(system.user()) for _ in range(clients)]
        yield [
            _Timed(user[files], _lot(seed, hits, clients, number), hits, requests // clients)
            for number, user in enumerate(users)
        ]


def _lot(*which: int) -> int:
    """A client's seed: other pages in each case, or they would be in memory from the one before."""
    return zlib.crc32(repr(which).encode())


@contextmanager
def _system(kernel: str, files: type[FileSystem], setting: Setting) -> Iterator[System]:
    """A system with a slow disk, which has the two files on it."""
    config: Mapping[type[Service], Mapping[str, Any]] = {SlowDisk: DISK, files: MEMORY}
    cpus = {setting.cpus.server}
    with boot(kernel, files, config=config, cpus=cpus) as system:
        fill(system[files])
        yield system


def _boots(setting: Setting, ways: Sequence[W]) -> Iterator[tuple[int, W]]:
    """Boots of all ways in random order, each round with a seed; meanwhile this is pinned."""
    with pinned(setting.cpus.user):
        for number in range(setting.boots):
            seed = setting.seed + number
            for way in random.Random(seed).sample(ways, len(ways)):
                yield seed, way


def _requests(setting: Setting) -> int:
    return QUICK_REQUESTS if setting.quick else REQUESTS


def _measure(name: str, values: Sequence[float], unit: str = "") -> Measure:
    return Measure(name, median(values), median_interval(values), unit=unit)


def _check(wrong: int) -> None:
    if wrong:
        raise Failure(f"{wrong} pages came back changed.")
