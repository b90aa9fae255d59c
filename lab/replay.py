"""Pricing the counts of a run on another machine.

Only what was counted is priced: requests of users (R) and messages (M), both exact and the same on
every machine. What Python took is no machine's time and does not come in. So one figure has to be
assumed, and is said: the work of a request beyond entering the kernel (w), in null calls.

    monolithic   R (n + w)          every request is a trap (n) and its work
    microkernel  M p + R w          the same work; every message costs p, instead of the trap
    overhead     (M p - R n) / (R (n + w))
    break-even   p = R (n + 0.05 (n + w)) / M       where the overhead is 5 %
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from lab.machines import Machine
from lab.schema import Run
from lab.station import NULL

WORK: Final = 10.0
"""Null calls that the work of a request takes, unless a reader says otherwise."""
BAND: Final = 3.0
"""The work may be this many times less or more: the sensitivity band."""
TOLERATED: Final = 0.05
"""The overhead at which a price breaks even."""

FORMULA: Final = """\
overhead = (M p - R n) / (R (n + w)); break-even: p = R (n + {tolerated:g} (n + w)) / M
R: requests of users, M: messages, counted exactly. n: a null call, p: a message, as published.
w: the work of a request, assumed: {work:g} null calls ({low:.3g} to {high:.3g} in the band); none
for null, which asks for nothing."""


class Counts(NamedTuple):
    """What one operation of a workload asks for, exactly.

    Attributes:
        workload: its name.
        kernel: under which messages were counted.
        requests: of users.
        messages: between address spaces.
    """

    workload: str
    kernel: str
    requests: float
    messages: float


class Prediction(NamedTuple):
    """One workload on one machine.

    Attributes:
        added: what an operation costs more than under the monolithic kernel, in the machine's unit.
        overhead: the same, over what it costs there.
        band: the least and the most overhead, over the prices' ranges and the band of work.
        break_even: the price of a message at which the overhead is 5 %, in the machine's unit;
            None: there are no messages.
    """

    counts: Counts
    machine: Machine
    added: float
    overhead: float
    band: tuple[float, float]
    break_even: float | None


def counts_of(runs: Iterable[Run]) -> list[Counts]:
    """What was counted, once for each workload and kernel that sends messages at all.

    Where users are processes of their own, the monolithic kernel gets messages, too: left out.
    """
    found: dict[tuple[str, str], Counts] = {}
    for run in runs:
        for row in run.rows:
            if row.kernel != "monolithic":
                counted = Counts(row.workload, row.kernel, row.requests_per_op, row.messages_per_op)
                found.setdefault((row.workload, row.kernel), counted)
    return list(found.values())


def overhead(messages_per_request: float, message: float, null_call: float, work: float) -> float:
    """The overhead of a workload.

    Args:
        messages_per_request: M / R.
        message: p.
        null_call: n, in the same unit.
        work: w, in null calls.
    """
    return (messages_per_request * message - null_call) / (null_call * (1 + work))


def break_even(messages_per_request: float, null_call: float, work: float) -> float:
    """The price of a message at which the overhead is 5 %; arguments as for `overhead`."""
    return null_call * (1 + TOLERATED * (1 + work)) / messages_per_request


def predict(counts: Counts, machine: Machine, work: float = WORK) -> Prediction:
    """One workload on one machine, whose prices must suffice; `work` in null calls."""
    work = 0.0 if counts.workload == NULL else work  # that is what null means
    message, null_call = machine.message, machine.null_call
    if message is None or null_call is None:
        raise ValueError(f"{machine.id}: {machine.lacks}")
    if not counts.requests or not counts.messages:
        return Prediction(counts, machine, 0.0, 0.0, (0.0, 0.0), None)
    rate = counts.messages / counts.requests
    corners = [
        overhead(rate, p, n, w)
        for p in message
        for n in null_call
        for w in (work / BAND, work * BAND)
    ]
    return Prediction(
        counts=counts,
        machine=machine,
        added=counts.messages * message.middle - counts.requests * null_call.middle,
        overhead=overhead(rate, message.middle, null_call.middle, work),
        band=(min(corners), max(corners)),
        break_even=break_even(rate, null_call.middle, work),
    )


def formula(work: float = WORK) -> str:
    """The formula and its letters, for people."""
    low, high = work / BAND, work * BAND
    return FORMULA.format(tolerated=TOLERATED, work=work, low=low, high=high)


class Line(NamedTuple):
    """The overhead of a workload over the price of a message in null calls."""

    counts: Counts
    prices: tuple[float, ...]
    overheads: tuple[float, ...]


def sweep(counted: Sequence[Counts], prices: Sequence[float], work: float = WORK) -> Iterator[Line]:
    """Each workload that sends messages, at each of the prices."""
    for counts in counted:
        if counts.requests and counts.messages:
            rate = counts.messages / counts.requests
            own = 0.0 if counts.workload == NULL else work
            overheads = tuple(overhead(rate, price, 1.0, own) for price in prices)
            yield Line(counts, tuple(prices), overheads)
