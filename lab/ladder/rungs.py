"""The rungs, bottom up, all of them standing at the same time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kernels import boot
from lab.ladder import loopback
from lab.ladder.parrot import Parrot
from lab.placement import Cpus

Call = Callable[[], Any]

ENCODED: Final = 3 << 12
"""The largest payload that has a rung of its own for encoding: a larger one is granted instead."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One way for a request.

    Attributes:
        name: for people.
        call: one request.
        encodes: whether its arguments are encoded.
        host: the floor of what the host does for it: `one` or `two`, a raw pipe round trip on so
            many CPUs; empty: nothing.
        round_trips: how many of those.
        copies: how often the payload is copied between request and reply, encoding aside.
        over: the name of the rung below it.
    """

    name: str
    call: Call
    encodes: bool = True
    host: str = ""
    round_trips: int = 1
    copies: int = 0
    over: str = ""


@contextmanager
def standing(data: bytes, one: Cpus, two: Cpus | None) -> Iterator[list[Rung]]:
    """All rungs for a payload, the user on the CPU that both placements give it.

    Args:
        data: the payload.
        one: the placement of both ends on one CPU.
        two: on two; None: this host has but one.
    """
    with ExitStack() as stack:

        def system(kernel: str, cpus: Cpus, transport: str) -> Call:
            booted = stack.enter_context(
                boot(kernel, Parrot, cpus={cpus.server}, transport=transport)
            )
            return _bound(booted[Parrot].say, data)

        granted = len(data) > ENCODED
        pipe, ring = ("grant by pipe", "grant by ring") if granted else ("pipe", "ring")
        rungs = [
            Rung("method call", _bound(Parrot().say, data), encodes=False),
            Rung(
                "checked call",
                system("monolithic", one, "pipe"),
                encodes=False,
                over="method call",
            ),
        ]
        if not granted:
            rungs.append(
                Rung("encoded call", _bound(loopback.encoded(), data), over="checked call")
            )
        hand_off = _bound(stack.enter_context(loopback.thread()), data)
        rungs.append(Rung("thread hand-off", hand_off, copies=4, over=rungs[-1].name))
        near = Rung(
            f"{pipe}, one CPU",
            system("microkernel", one, "pipe"),
            host="one",
            copies=4,
            over="thread hand-off",
        )
        rungs.append(near)
        if two is not None:
            far = system("microkernel", two, "pipe")
            name = f"{pipe}, two CPUs"
            rungs.append(Rung(name, far, host="two", copies=4, over=near.name))
            polled = system("microkernel", two, "ring")
            rungs.append(Rung(f"{ring}, two CPUs", polled, copies=4, over=name))
        routed = system("microkernel", one, "routed")
        name = f"routed {pipe}, one CPU"
        rungs.append(Rung(name, routed, host="one", round_trips=2, copies=4, over=near.name))
        yield rungs


def _bound(say: Callable[[bytes], Any], data: bytes) -> Call:
    def call() -> Any:
        return say(data)

    return call
