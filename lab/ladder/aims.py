"""What the fast path aims at, and where it stands: requests over what the host itself charges.

Each pair of a request and its floor is measured in slices that alternate, and all pairs take turns
in one run; a ratio is the median over its pairs. What a row divides by is in its name.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, NamedTuple

from tabulate import tabulate

from kernels import System, boot
from kernels.ring import unusable
from lab import placement, timing
from lab.assembly import CALL_AIM, PIPE_AIM
from lab.floors import method_call, pipe_round_trip
from lab.ladder.parrot import Probe
from lab.placement import Cpus
from lab.refusal import Failure
from lab.stats import median_interval
from servers.filesystem import FileSystem

Call = Callable[[], Any]

BLOCK: Final = bytes(4096)
MEBIBYTE: Final = 1 << 20
MANY: Final = 64
CROWD: Final = 40
CROWD_AIM: Final = 1.1
COPIES: Final = 3.0
KEPT: Final = 32
"""Results of 1 MiB that are kept: more than the C library keeps of memory that was freed."""
PAIR_NS: Final = 400_000
"""About how long a slice takes."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One pair.

    Attributes:
        name: for people.
        call: what is measured.
        floor: what it is divided by.
        most: the ratio aimed at, at most.
    """

    name: str
    call: Call
    floor: Call
    most: float


class Standing(NamedTuple):
    """Where one of them stands: µs of both, their ratio and its interval, and the aim."""

    name: str
    us: float
    floor_us: float
    ratio: float
    interval: tuple[float, float] | None
    most: float


def stand(slices: int) -> list[Standing]:
    """Measure all of them, the user on the CPU that both placements give it."""
    before = os.sched_getaffinity(0)
    one = placement.choose("one")
    two = placement.choose("two") if len(before) > 1 else None
    try:
        placement.pin(one.user)
        with ExitStack() as stack:
            aims = list(_aims(stack, one, two))
            return _measured(aims, slices)
    finally:
        os.sched_setaffinity(0, before)


def _aims(stack: ExitStack, one: Cpus, two: Cpus | None) -> Iterator[Aim]:
    # Floors first: their processes are forked while this one is small.
    near = stack.enter_context(pipe_round_trip(one))
    far = stack.enter_context(pipe_round_trip(two)) if two else None
    checked = stack.enter_context(boot("monolithic", Probe))[Probe]
    yield Aim("null, one space / method call", checked.null, method_call(), CALL_AIM)
    system = _booted(stack, one, "pipe")
    yield from _small(system, near, "one CPU", 1.3)
    yield _crowded(stack, _booted(stack, one, "pipe"), system)
    yield from _batched(system)
    yield from _bulk(system)
    if far and two:
        yield from _small(_booted(stack, two, "pipe"), far, "two CPUs", 1.2)
        if not unusable():
            yield from _ringing(_booted(stack, two, "ring"), far)


def _booted(stack: ExitStack, cpus: Cpus, transport: str) -> System:
    return stack.enter_context(
        boot("microkernel", Probe, FileSystem, cpus={cpus.server}, transport=transport)
    )


def _small(system: System, pipe: Call, where: str, named_aim: float) -> Iterator[Aim]:
    probe = system[Probe]
    yield Aim(f"null, {where} / raw pipe", probe.null, pipe, PIPE_AIM)
    named = probe.named
    call = lambda: named("/home/user/file", 7)  # noqa: E731 (as short as its floor's)
    yield Aim(f"path and integer, {where} / raw pipe", call, pipe, named_aim)


def _crowded(stack: ExitStack, crowded: System, alone: System) -> Aim:
    for _ in range(CROWD):
        stack.enter_context(crowded.user())[Probe].null()
    mine, theirs = crowded[Probe].null, alone[Probe].null
    return Aim(f"null, {CROWD} other clients / none", mine, theirs, CROWD_AIM)


def _ringing(system: System, pipe: Call) -> Iterator[Aim]:
    probe = system[Probe]
    write = probe.write
    yield Aim("null, ring, two CPUs / raw pipe", probe.null, pipe, 0.06)
    yield Aim("4 KiB written, ring, two CPUs / raw pipe", lambda: write(BLOCK), pipe, 0.15)


def _batched(system: System) -> Iterator[Aim]:
    null, later = system[Probe].null, system.batch(MANY)

    def together() -> None:
        for each in [later(null) for _ in range(MANY)]:
            each.result()

    def one_by_one() -> None:
        for _ in range(MANY):
            null()

    yield Aim(f"{MANY} in one message / {MANY} one by one", together, one_by_one, 1 / 8)


def _bulk(system: System) -> Iterator[Aim]:
    files = system[FileSystem]
    fd = files.open("/mebibytes", os.O_RDWR | os.O_CREAT)
    data = os.urandom(MEBIBYTE)
    for place in range(4):
        files.pwrite(fd, data[place:] + data[:place], place * MEBIBYTE)
    if files.pread(fd, MEBIBYTE, 0) != data:
        raise Failure("what was read is not what was written.")
    sources = [bytearray(data) for _ in range(4)]
    places = itertools.cycle(range(0, 4 * MEBIBYTE, MEBIBYTE))
    turns = itertools.cycle(sources)
    again = lambda: files.pread(fd, MEBIBYTE, 0)  # noqa: E731 (as short as the others)
    on = lambda: files.pread(fd, MEBIBYTE, next(places))  # noqa: E731
    yield Aim("1 MiB read again / copied again", again, lambda: bytes(sources[0]), COPIES)
    copied = lambda: bytes(next(turns))  # noqa: E731 (the same)
    yield Aim("1 MiB read on / copied on", on, copied, COPIES)
    yield Aim("1 MiB read on, kept / copied on, kept", _keeping(on), _keeping(copied), COPIES)


def _keeping(call: Call) -> Call:
    """`call`, whose results are kept for a while: so each lies in memory new from the host."""
    kept: list[Any] = []

    def keep() -> None:
        if len(kept) == KEPT:
            kept.clear()
        kept.append(call())

    return keep


def _measured(aims: list[Aim], slices: int) -> list[Standing]:
    counts = [(_count(aim.call), _count(aim.floor)) for aim in aims]
    taken: list[list[tuple[float, float]]] = [[] for _ in aims]
    for _ in range(slices):
        for aim, (calls, floors), pairs in zip(aims, counts, taken, strict=True):
            floor = _slice(aim.floor, floors)
            pairs.append((_slice(aim.call, calls), floor))
    return [_standing(aim, pairs) for aim, pairs in zip(aims, taken, strict=True)]


def _count(call: Call) -> int:
    timing.time_slice(call, 20)
    return max(1, round(20 * PAIR_NS / timing.time_slice(call, 20)))


def _slice(call: Call, count: int) -> float:
    call()  # the others have cooled the caches
    return timing.time_slice(call, count) / count / 1000


def _standing(aim: Aim, pairs: list[tuple[float, float]]) -> Standing:
    ratios = [call / floor for call, floor in pairs]
    return Standing(
        aim.name,
        median(call for call, _ in pairs),
        median(floor for _, floor in pairs),
        median(ratios),
        median_interval(ratios),
        aim.most,
    )


def render(found: list[Standing]) -> str:
    """The table."""
    rows = [
        (
            each.name,
            f"{each.us:.3g}",
            f"{each.floor_us:.3g}",
            f"{each.ratio:.3f}",
            "" if each.interval is None else "[{:.3f}; {:.3f}]".format(*each.interval),
            f"{each.most:g}",
            "yes" if each.ratio <= each.most else "no",
        )
        for each in found
    ]
    heads = ["what / over what", "µs", "of that", "ratio", "95 %", "at most", "so"]
    return tabulate(rows, heads, disable_numparse=True, stralign="right", colalign=("left",)) + "\n"
