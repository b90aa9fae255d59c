"""Climbing the ladder: all rungs in alternating slices of one run."""

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Final

import msgspec

from lab import placement, timing
from lab.floors import pipe_round_trip
from lab.ladder.rungs import Call, Rung, standing
from lab.placement import Cpus
from lab.refusal import Refusal

SLICE_NS: Final = 500_000


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one way costs, in µs for a request: the median over slices.

    Attributes:
        name: of the way.
        us: all of it.
        over: the way that it is compared with; empty: none.
        quartiles: of the slices.
        host: what the host's own pipes take for a message of 64 bytes there and back.
        encoding: encoding and decoding, and checks at both ends.
        copying: copies of the payload.
        peer: whether it is somebody else's way.
    """

    name: str
    us: float
    quartiles: tuple[float, float]
    over: str = ""
    host: float = 0.0
    encoding: float = 0.0
    copying: float = 0.0
    peer: bool = False

    @property
    def python(self) -> float:
        """What is left: the interpreter around all that, and cold caches."""
        return max(0.0, self.us - self.host - self.encoding - self.copying)


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """A run.

    Attributes:
        host: where.
        bytes: of the payload.
        slices: of each way.
        user_cpu: where the user ran.
        server_cpu: where servers on another CPU ran; None: there was but one.
        steps: ours bottom up, then the peers'.
        missing: peers that are not here, and why.
        load: of the host before and after, over one minute.
    """

    host: str
    bytes: int
    slices: int
    user_cpu: int
    server_cpu: int | None
    steps: tuple[Step, ...]
    missing: dict[str, str]
    load: tuple[float, float]


def climb(size: int, slices: int, *, with_peers: bool) -> Ladder:
    """Measure all rungs.

    Args:
        size: bytes of the payload.
        slices: how many slices of each way.
        with_peers: whether to measure others' ways in the same run.

    Raises:
        Refusal: the data make no message.
    """
    one, two = placement.choose("one"), _two()
    before, load = os.sched_getaffinity(0), os.getloadavg()[0]
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    missing: dict[str, str] = {}
    try:
        placement.pin(one.user)
        with ExitStack() as stack:
            calls = {"one": stack.enter_context(pipe_round_trip(one))}
            if two is not None:
                calls["two"] = stack.enter_context(pipe_round_trip(two))
            found: dict[str, Call] = {}
            if with_peers:
                from lab.ladder import peers  # noqa: PLC0415 (what they take is theirs)

                found = peers.standing(stack, data, one, missing)
            rungs = stack.enter_context(standing(data, one, two))
            calls |= {rung.name: rung.call for rung in rungs} | found
            calls |= {"copy": _copy(data), "no copy": _copy(b"")}
            taken = _slices(list(calls.values()), slices)
    finally:
        os.sched_setaffinity(0, before)
    costs = dict(zip(calls, taken, strict=True))
    return Ladder(
        host=platform.node(),
        bytes=size,
        slices=slices,
        user_cpu=one.user,
        server_cpu=None if two is None else two.server,
        steps=(*_steps(rungs, costs), *(_step(name, costs[name], peer=True) for name in found)),
        missing=missing,
        load=(load, os.getloadavg()[0]),
    )


def _two() -> Cpus | None:
    try:
        return placement.choose("two")
    except Refusal:
        return None


def _copy(data: bytes) -> Call:
    source = bytearray(data)
    return lambda: bytes(source)


def _slices(calls: Sequence[Call], slices: int) -> list[list[float]]:
    """The µs a request takes, slice by slice; the ways take turns."""
    counts = []
    for call in calls:
        timing.time_slice(call, 20)
        counts.append(max(1, round(20 * SLICE_NS / max(1, timing.time_slice(call, 20)))))
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(slices):
        for call, count, kept in zip(calls, counts, taken, strict=True):
            call()  # the others have cooled the caches
            kept.append(timing.time_slice(call, count) / count / 1000)
    return taken


def _steps(rungs: Sequence[Rung], costs: dict[str, list[float]]) -> Iterator[Step]:
    middle = {name: median(values) for name, values in costs.items()}
    encoding = max(0.0, middle.get("encoded call", 0.0) - middle["method call"])
    copy = max(0.0, middle["copy"] - middle["no copy"])
    for rung in rungs:
        yield _step(
            rung.name,
            costs[rung.name],
            over=rung.over,
            host=rung.round_trips * middle[rung.host] if rung.host else 0.0,
            encoding=encoding if rung.encodes else 0.0,
            copying=rung.copies * copy,
        )


def _step(
    name: str,
    values: list[float],
    *,
    over: str = "",
    host: float = 0.0,
    encoding: float = 0.0,
    copying: float = 0.0,
    peer: bool = False,
) -> Step:
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4]
    return Step(
        name=name,
        us=median(ordered),
        over=over,
        quartiles=(low, high),
        host=min(host, median(ordered)),
        encoding=encoding,
        copying=copying,
        peer=peer,
    )
