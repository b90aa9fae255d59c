"""One workload in one booted system: what an operation of it costs.

The result is checked before and after the timing, and an operation that fails ends the run: a
figure of something that went wrong is worse than none.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from kernels import System
from lab import timing
from lab.refusal import Failure
from twinos.errors import describe
from workloads.workload import Operation, Users, Workload

COUNTED_CALLS: Final = 10


class Cost(msgspec.Struct, frozen=True):
    """What one operation costs: in ns, or in messages and their bytes."""

    ns: float = 0.0
    messages: float = 0.0
    bytes: float = 0.0


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


def count(operation: Operation, system: System, calls: int) -> Cost:
    """The messages of an operation, the mean over some calls, after one that warms caches up."""
    if calls > 1:
        operation.check(_call(operation))
    messages = size = 0
    for _ in range(calls):
        before = system.counts()
        result = operation.call()
        after = system.counts()
        messages += after.messages - before.messages
        size += after.bytes - before.bytes
        operation.check(result)
        if operation.reset:
            operation.reset()
    done = calls * operation.ops
    return Cost(messages=messages / done, bytes=size / done)


def _call(operation: Operation) -> object:
    """One call whose effects are put back."""
    result = operation.call()
    if operation.reset:
        operation.reset()
    return result
