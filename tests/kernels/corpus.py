"""What a fuzzer starts from: recorded traffic, requests from signatures, and mutations of both."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from kernels import boot
from kernels.bulk import GRANT
from kernels.frames import HEADER, IN_STORE, LARGE, SIZE, frame
from lab.agreement import values
from lab.measuring import running
from servers.process import ProcessManager
from twinos import Bind, Op, Service, operations
from twinos.codec import encode
from workloads.catalogue import catalogue

MOST_RECORDED: Final = 30
"""Requests kept of one operation."""
DRAWN: Final = 12
"""Requests of one operation that are drawn from its signature."""

Corpus = dict[str, list[bytes]]
Config = Mapping[type[Service], Mapping[str, Any]]


def recorded(services: Sequence[type[Service]], drawn: int = DRAWN) -> Corpus:
    """Requests to these services as frames: of workloads, drawn, and without any arguments."""
    corpus: Corpus = {service.__name__: [] for service in services}
    layer = _Recorder(corpus)
    for workload in catalogue().values():
        if set(workload.services) <= set(services) - {ProcessManager} and not workload.macro:
            with (
                suppress(Exception),
                boot(
                    "monolithic", *workload.services, config=workload.config, layers=[layer]
                ) as system,
                running(workload, system) as operation,
            ):
                operation.call()
    for service in services:
        for operation in operations(service).values():
            frames = corpus[service.__name__]
            frames += [_request(operation, ()), *_drawn(operation, drawn)]
    return corpus


class _Recorder:
    """A layer that keeps requests, those of services to each other included."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._kept: dict[Op, int] = {}

    def __call__(self, bind: Bind) -> Bind:
        def bound(operation: Op) -> Callable[..., Any]:
            deliver = bind(operation)

            def record(*arguments: Any, **named: Any) -> Any:
                self._keep(operation, (*arguments, *named.values()))
                return deliver(*arguments, **named)

            return record

        return bound

    def _keep(self, operation: Op, arguments: tuple[Any, ...]) -> None:
        self._kept[operation] = kept = self._kept.get(operation, 0) + 1
        if operation.service in self._corpus and kept <= MOST_RECORDED:
            self._corpus[operation.service].append(_request(operation, arguments))


def _request(operation: Op, arguments: tuple[Any, ...]) -> bytes:
    return frame(operation.number, encode(arguments) if arguments else b"")


def _drawn(operation: Op, count: int) -> list[bytes]:
    """Requests that have the operation's types."""
    found: list[bytes] = []
    if not operation.types or not count:
        return found

    @seed(operation.number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(st.tuples(*map(values, operation.types)))
    def draw(arguments: tuple[Any, ...]) -> None:
        found.append(_request(operation, arguments))

    draw()
    return [each for each in found if len(each) < LARGE]


def mutated(rng: random.Random, frames: Sequence[bytes]) -> bytes:
    """A frame that is nearly one of these, or nothing of the kind."""
    kind, message = rng.randrange(9), bytearray(rng.choice(frames))
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 40))
    if kind == 1:
        return bytes(message[: rng.randrange(len(message))])
    if kind == 2:
        return bytes(message) + rng.randbytes(rng.randrange(1, 9))
    if kind == 3:
        return HEADER.pack(rng.getrandbits(32), rng.randrange(256)) + message[SIZE:]
    if kind == 4:
        size = rng.choice([0, LARGE - 1, LARGE, LARGE + 1, 1 << 20, 1 << 31])
        rest = bytes(message[SIZE:][: rng.choice([0, 3, 99])])
        return GRANT.pack(IN_STORE | 4 + len(rest), message[SIZE - 1], size) + rest
    if kind == 5:
        message[SIZE:] = rng.choice(frames)[SIZE:]
        return frame(message[SIZE - 1], bytes(message[SIZE:]))
    end = SIZE if kind == 7 else max(len(message), SIZE + 1)
    return changed(rng, message, rng.randrange(0 if kind == 6 else 1, 4), end)


def changed(rng: random.Random, message: bytearray, times: int, end: int) -> bytes:
    """A message of which some bytes before `end` are others."""
    for _ in range(times):
        place = rng.randrange(end)
        if place < len(message):
            message[place] = rng.randrange(256)
    return bytes(message)


def is_part(message: bytes) -> bool:
    """Whether a server has to wait for the rest of it."""
    if len(message) < SIZE:
        return True
    return HEADER.unpack_from(message)[0] & ~IN_STORE > len(message) - SIZE
