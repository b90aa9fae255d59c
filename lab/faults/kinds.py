"""What can go wrong in a service.

The operations of the service's class are wrapped, in the process of one trial alone, before it
boots: no service and no kernel knows. A fault waits until its cell is armed, and strikes the next
request that it can.
"""

import ctypes
import errno
import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from lab.faults.cell import Cell
from servers.disk import Disk
from servers.filesystem import FileSystem
from twinos import Op, Service, fail, operations

SERVICES: Final[dict[str, type[Service]]] = {"FileSystem": FileSystem, "Disk": Disk}
EXIT_STATUS: Final = 3
INSTANT_S: Final = 0.002
"""A kill comes at an instant within this time of the request's arrival."""
SLOWNESS_S: Final = 0.05
SLOW_REQUESTS: Final = 10
FULL_REQUESTS: Final = 4
FLIPS: Final = 64
_MIB: Final = 1 << 20
_LEAK: Final = 16 * _MIB
_LIMIT: Final = 64 * _MIB
_LEAKS: Final = 8
_SPARE: Final = 4

hoard: Final[list[object]] = []
"""What a leak never frees, and the descriptors that are never closed."""


class Request(NamedTuple):
    """A request that a fault may strike.

    Attributes:
        operation: which.
        arguments: by position.
        carry_out: does what was asked.
        cell: of the fault.
        rng: seeded.
    """

    operation: Op
    arguments: tuple[Any, ...]
    carry_out: Callable[[], Any]
    cell: Cell
    rng: random.Random

    def strike(self) -> None:
        """The fault strikes here and now: the first time counts."""
        if not self.cell.struck:
            self.cell.strike(time.monotonic_ns())


Fault = Callable[[Request], Any]


def _exception(request: Request) -> NoReturn:
    request.strike()
    raise RuntimeError("this fault was injected")


def _kill(request: Request) -> Any:
    request.strike()
    delay = request.rng.random() * INSTANT_S

    def kill() -> None:
        time.sleep(delay)
        request.cell.strike(time.monotonic_ns())
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    return request.carry_out()


def _exit(request: Request) -> NoReturn:
    request.strike()
    os._exit(EXIT_STATUS)


def _hang(request: Request) -> NoReturn:
    request.strike()
    while True:
        time.sleep(3600)


def _loop(request: Request) -> NoReturn:
    request.strike()
    while True:
        pass


def _slow(request: Request) -> Any:
    if request.cell.use() <= SLOW_REQUESTS:
        request.strike()
        time.sleep(SLOWNESS_S)
    return request.carry_out()


def _leak(request: Request) -> Any:
    """The host gives this process 64 MiB more; it loses 16 MiB with each request."""
    if request.cell.use() <= _LEAKS:
        request.strike()
        if not hoard:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + _LIMIT)
        hoard.append(bytearray(_LEAK))
    return request.carry_out()


def _wrong(request: Request) -> Any:
    """A reply of the right type. Where there is only one, the next request is hit instead."""
    result = request.carry_out()
    altered = _altered(result, request.rng)
    if altered == result or request.cell.struck:
        return result
    request.strike()
    return altered


def _altered(result: Any, rng: random.Random) -> Any:
    match result:
        case bytes() if result:
            place = rng.randrange(len(result))
            return result[:place] + bytes([result[place] ^ 0xFF]) + result[place + 1 :]
        case bool():
            return not result
        case int():
            return result + 1
        case str():
            return result[::-1]
        case tuple() if result and not hasattr(result, "_fields"):
            return result[1:]
    return result


def _malformed(request: Request) -> Any:
    request.carry_out()
    request.strike()
    return object()


def _wild(request: Request) -> Any:
    request.strike()
    for address in _addresses(request.rng):
        byte = ctypes.c_ubyte.from_address(address)
        byte.value ^= 1 << request.rng.randrange(8)
    return request.carry_out()


def _addresses(rng: random.Random) -> list[int]:
    """Bytes that this process may write and that are in memory: its heap, its regions."""
    ranges = _writable(Path("/proc/self/smaps").read_text().splitlines())
    chosen = rng.choices(ranges, [end - start for start, end in ranges], k=FLIPS)
    return [rng.randrange(start, end) for start, end in chosen]


def _writable(lines: Sequence[str]) -> list[tuple[int, int]]:
    """What can be written, with as many bytes from the start as are in memory."""
    ranges, start, usable = [], 0, False
    for line in lines:
        first, *rest = line.split()
        if not first.endswith(":"):
            start = int(first.partition("-")[0], 16)
            ours = line.endswith("/cell")  # the instrument is no part of the system
            usable = rest[0].startswith("rw") and not ours
        elif first == "Rss:" and usable and int(rest[0]):
            ranges.append((start, start + int(rest[0]) * 1024))
    return ranges


def _descriptors(request: Request) -> Any:
    """Open files until the host gives no more, and keep them."""
    if not request.cell.struck:
        request.strike()
        highest = max(map(int, os.listdir("/proc/self/fd")))
        _lower(resource.RLIMIT_NOFILE, highest + 1 + _SPARE)
        try:
            while True:
                hoard.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
    return request.carry_out()


def _block(request: Request) -> Any:
    """A block goes bad, and stays so."""
    runs = _runs(request)
    if runs and not request.cell.struck:
        request.cell.block = runs[0][0]
        request.strike()
    bad = request.cell.block
    if request.cell.struck and any(start <= bad < start + length for start, length in runs):
        raise fail(errno.EIO)
    return request.carry_out()


def _runs(request: Request) -> list[tuple[int, int]]:
    """The blocks that a request to the disk reads or writes."""
    match request.operation.name, request.arguments:
        case "readv" | "writev", (extents, *_):
            return [(start, length) for start, length in extents]
        case "read", (block, *rest):
            return [(block, rest[0] if rest else 1)]
        case "write", (block, data):
            return [(block, len(data) // 1024)]
    return []


def _full(request: Request) -> Any:
    """The host has no room for what is written; after four requests it has again."""
    if request.operation.name in {"write", "writev"} and request.cell.use() <= FULL_REQUESTS:
        request.strike()
        raise fail(errno.ENOSPC)
    return request.carry_out()


def _lower(limit: int, soft: int) -> None:
    hard = resource.getrlimit(limit)[1]
    resource.setrlimit(limit, (soft if hard < 0 else min(soft, hard), hard))


class Kind(NamedTuple):
    """A kind of fault.

    Attributes:
        fault: what is done to a request.
        lasts: whether requests after the first are given to it, too.
        disk: whether only a disk can have it.
        told: what it is, for people.
    """

    fault: Fault
    lasts: bool
    disk: bool
    told: str


KINDS: Final = {
    "exception": Kind(_exception, lasts=False, disk=False, told="a bug raises"),
    "kill": Kind(_kill, lasts=False, disk=False, told="kill -9 within 2 ms"),
    "exit": Kind(_exit, lasts=False, disk=False, told="the process exits"),
    "hang": Kind(_hang, lasts=False, disk=False, told="it sleeps for ever"),
    "loop": Kind(_loop, lasts=False, disk=False, told="it computes for ever"),
    "slow": Kind(_slow, lasts=True, disk=False, told="ten requests take 50 ms more"),
    "leak": Kind(_leak, lasts=True, disk=False, told="16 MiB a request, 64 MiB to be had"),
    "wrong": Kind(_wrong, lasts=False, disk=False, told="a wrong reply of the right type"),
    "malformed": Kind(_malformed, lasts=False, disk=False, told="a reply of no such type"),
    "wild": Kind(_wild, lasts=False, disk=False, told=f"{FLIPS} bits anywhere in its memory flip"),
    "descriptors": Kind(_descriptors, lasts=True, disk=False, told="it can open nothing any more"),
    "block": Kind(_block, lasts=True, disk=True, told="a block of the disk is unreadable: EIO"),
    "full": Kind(_full, lasts=True, disk=True, told="no room for four writes: ENOSPC"),
}


def suits(kind: str, service: str) -> bool:
    """Whether a service can have such a fault."""
    return service == Disk.__name__ or not KINDS[kind].disk


def instrument(service: type[Service], kind: str, seed: str, cell: Cell) -> None:
    """Wrap the operations of a service, in this process and those that it forks."""
    rng = random.Random(seed)
    for operation in operations(service).values():
        method = getattr(service, operation.name)
        setattr(service, operation.name, _wrapped(method, operation, KINDS[kind], cell, rng))


def _wrapped(
    method: Callable[..., Any], operation: Op, kind: Kind, cell: Cell, rng: random.Random
) -> Callable[..., Any]:
    def faulty(itself: Service, *arguments: Any, **named: Any) -> Any:
        carry_out = partial(method, itself, *arguments, **named)
        if not cell.armed or (cell.struck and not kind.lasts) or cell.spares():
            return carry_out()
        return kind.fault(Request(operation, arguments, carry_out, cell, rng))

    return faulty
