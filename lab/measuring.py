"""One workload in one booted system: what an operation of it costs.

The result is checked before and after the timing, and an operation that fails ends the run: a
figure of something that went wrong is worse than none.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from kernels import System
from lab import timing
from lab.meter import Usage, usage
from lab.refusal import Failure
from twinos import Bind, Op
from twinos.errors import describe
from workloads.workload import Operation, Users, Workload

COUNTED_CALLS: Final = 10


ACCOUNT_NS: Final = 10_000_000
"""About how long an operation is repeated to find what it takes beside time."""

ACCOUNTED_RESETS: Final = 5
"""Calls that are made to find it where each needs a reset."""


class Cost(msgspec.Struct, frozen=True):
    """What one operation costs: in ns, or in the user's requests, and messages and their bytes.

    And beside its ns: processor time and context switches of all processes.
    """

    ns: float = 0.0
    messages: float = 0.0
    bytes: float = 0.0
    requests: float = 0.0
    cpu_ns: float = 0.0
    switches: float = 0.0


class Requests:
    """A layer that counts the requests of handles that are made while it is `on`.

    Services are wired before: what they ask of each other is no user's request.
    """

    def __init__(self) -> None:
        self.on = False
        self._numbers = itertools.count()  # counts in one step, so threads may share it
        self._readings = 0

    def __call__(self, bind: Bind) -> Bind:
        """`bind`, counted if it is a user's."""
        if not self.on:
            return bind

        def counting(operation: Op) -> Callable[..., Any]:
            deliver, step = bind(operation), self._numbers.__next__

            def counted(*args: Any) -> Any:
                step()
                return deliver(*args)

            return counted

        return counting

    def so_far(self) -> int:
        """How many there were."""
        made = next(self._numbers) - self._readings
        self._readings += 1
        return made


@contextmanager
def running(workload: Workload, user: Users) -> Iterator[Operation]:
    """The operation of a workload, set up; cleaned up in the end.

    Raises:
        Failure: the workload failed, in whatever way.
    """
    try:
        program = workload.start(user)
        operation = next(program)
        yield operation
        next(program, None)
    except Exception as error:  # a service or a workload may fail in any way
        raise Failure(f"{workload.name}: {describe(error)}") from error


def time_beside(
    operation: Operation, others: Sequence[timing.Call], budget_ns: int
) -> tuple[float, list[float]]:
    """The cost of an operation in ns, and those of `others`, measured between its slices."""
    operation.check(_call(operation))
    if operation.reset is not None:
        per_call = timing.time_with_reset(operation.call, operation.reset, budget_ns)
        beside = timing.time_calls(others, budget_ns) if others else []
    else:
        per_call, *beside = timing.time_calls((operation.call, *others), budget_ns)
    operation.check(_call(operation))
    return per_call / operation.ops, beside


def time_once(operation: Operation) -> float:
    """The cost in ns of an operation's first call, cold."""
    results = []
    taken = timing.time_slice(lambda: results.append(operation.call()), 1)
    operation.check(results[0])
    return taken / operation.ops


def account(operation: Operation, pids: Sequence[int], call_ns: float) -> Cost:
    """What an operation takes beside time, of this process and others, over many calls.

    Args:
        operation: what is done; it has been timed.
        pids: the other processes.
        call_ns: about how long one call takes.
    """
    if operation.reset is None:
        calls = max(1, round(ACCOUNT_NS / call_ns))
        cpu, switches = _used(lambda: timing.time_slice(operation.call, calls), pids)
    else:
        calls, cpu, switches = ACCOUNTED_RESETS, 0, 0
        for _ in range(calls):
            more = _used(operation.call, pids)
            cpu, switches = cpu + more.cpu_ns, switches + more.switches
            operation.reset()
    done = calls * operation.ops
    return Cost(cpu_ns=cpu / done, switches=switches / done)


def account_once(operation: Operation, pids: Sequence[int]) -> Cost:
    """All that an operation's first call takes: time, processor time, switches."""
    results = []

    def call() -> None:
        results.append(time_once(operation))

    used = _used(call, pids)
    cpu_ns, switches = (each / operation.ops for each in used)
    return Cost(ns=results[0], cpu_ns=cpu_ns, switches=switches)


def _used(call: timing.Call, pids: Sequence[int]) -> Usage:
    before = usage(pids)
    call()
    return Usage(*(then - now for now, then in zip(before, usage(pids), strict=True)))


def count(
    operation: Operation, system: System, calls: int, requests: Requests | None = None
) -> Cost:
    """The messages of an operation, the mean over some calls, after one that warms caches up.

    Args:
        operation: what is done.
        system: where; it counts.
        calls: how many.
        requests: the system's layer that counts the user's requests, if it has one.
    """
    if calls > 1:
        operation.check(_call(operation))
    counter = requests or Requests()
    total = [0, 0, 0]
    for _ in range(calls):
        before = (*system.counts(), counter.so_far())
        result = operation.call()
        after = (*system.counts(), counter.so_far())
        total = [sum(each) - then for *each, then in zip(total, after, before, strict=True)]
        operation.check(result)
        if operation.reset:
            operation.reset()
    messages, size, made = (each / (calls * operation.ops) for each in total)
    return Cost(messages=messages, bytes=size, requests=made)


def repeat(operation: Operation, calls: int) -> Cost:
    """Do an operation some times, for somebody who counts from outside.

    Returns:
        as `requests`, how many operations a call is.
    """
    for _ in range(calls):
        operation.check(_call(operation))
    return Cost(requests=operation.ops)


def _call(operation: Operation) -> object:
    """One call whose effects are put back."""
    result = operation.call()
    if operation.reset:
        operation.reset()
    return result
