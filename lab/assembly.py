"""From boots to a run: what many boots of each kernel add up to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Final

from kernels.frames import LARGE
from lab import stats
from lab.choice import Choice
from lab.decompose import PARTS
from lab.measuring import Cost
from lab.schema import Aim, Decomposition, Floors, Placement, Ratio, Row, Users
from lab.station import NULL, Measured
from workloads.workload import Workload

CALL_AIM: Final = 6.0
"""Null through the monolithic kernel, arguments checked, in bare method calls: at most."""
PIPE_AIM: Final = 1.2
"""Null through the microkernel in raw pipe round trips, both processes on one CPU: at most."""

Session = tuple[Workload, ...]


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot that was made."""

    kernel: Choice
    session: Session
    measured: Measured


@dataclass(frozen=True, slots=True)
class Boots:
    """All boots of a comparison.

    Attributes:
        workloads: what was compared.
        kernels: under which kernels; ratios are over the first.
        placement: where processes ran.
        users: where user programs lived.
        counted: a boot of each kernel and session that counted messages.
        timed: the others, in order.
        traced: those that were traced.
    """

    workloads: Sequence[Workload]
    kernels: Sequence[Choice]
    placement: Placement
    users: Users
    counted: Sequence[Boot]
    timed: Sequence[Boot]
    traced: Sequence[Boot] = ()

    def rows(self) -> tuple[Row, ...]:
        """What each workload costs under each kernel."""
        return tuple(self._row(*each) for each in product(self.workloads, self.kernels))

    def floors(self) -> Floors:
        """What the host itself charges."""
        calls = tuple(boot.measured.method_call_ns / 1000 for boot in self.timed)
        pipes = tuple(boot.measured.pipe_round_trip_ns / 1000 for boot in self.timed)
        return Floors(
            method_call_us=median(calls),
            pipe_round_trip_us=median(pipes),
            method_call_boots_us=calls,
            pipe_round_trip_boots_us=pipes,
        )

    def aims(self) -> tuple[Aim, ...]:
        """The null call of each kernel over the floor of its transport, boot by boot."""
        if all(one.name != NULL for one in self.workloads):
            return ()
        return tuple(self._aim(kernel) for kernel in self.kernels)

    def decompositions(self, rows: Sequence[Row]) -> tuple[Decomposition, ...]:
        """Where the time of each row goes, for those that were traced."""
        return tuple(
            decomposed(row, traced)
            for row in rows
            if (
                traced := [
                    boot.measured
                    for boot in self.traced
                    if boot.kernel.name == row.kernel and row.workload in boot.measured.traces
                ]
            )
        )

    def _row(self, workload: Workload, kernel: Choice) -> Row:
        (count,) = costs(self.counted, workload, kernel)
        timed = costs(self.timed, workload, kernel)
        boots = [boot.measured for boot in self.timed if _has(boot, workload, kernel)]
        boots_us = tuple(cost.ns / 1000 for cost in timed)
        cpu_us = tuple(cost.cpu_ns / 1000 for cost in timed)
        return Row(
            workload=workload.name,
            group=workload.group,
            options=dict(workload.options),
            kernel=kernel.name,
            transport=kernel.transport(self.users),
            placement=self.placement,
            users=self.users,
            boots_us=boots_us,
            median_us=median(boots_us),
            ci95_us=stats.median_interval(boots_us),
            messages_per_op=count.messages,
            bytes_per_op=count.bytes,
            requests_per_op=count.requests,
            cpu_us=median(cpu_us),
            cpu_boots_us=cpu_us,
            switches_per_op=median(cost.switches for cost in timed),
            memory_kib=median(boot.memory_kib for boot in boots),
            boot_ms=median(boot.boot_ns for boot in boots) / 1e6,
        )

    def _aim(self, kernel: Choice) -> Aim:
        calls = kernel.transport(self.users) == "call"
        multiples = [
            boot.measured.costs[NULL].ns
            / (boot.measured.method_call_ns if calls else boot.measured.pipe_round_trip_ns)
            for boot in self.timed
            if boot.kernel is kernel and NULL in boot.measured.costs
        ]
        return Aim(
            kernel=kernel.name,
            over="method call" if calls else "pipe round trip",
            ratio=median(multiples),
            ci95=stats.median_interval(multiples),
            aim=CALL_AIM if calls else PIPE_AIM,
        )


def decomposed(row: Row, boots: Sequence[Measured]) -> Decomposition:
    """What traced boots say of a row."""
    traces = [boot.traces[row.workload] for boot in boots]
    parts = {part: median(trace.parts.get(part, 0.0) for trace in traces) for part in PARTS}
    large = row.messages_per_op and row.bytes_per_op / row.messages_per_op >= LARGE
    price = median(b.copy_prices.store if large else b.copy_prices.pipe for b in boots)
    rest = row.bytes_per_op * price
    for part in ("switching", "encoding"):  # a large reply is sent where it is encoded
        found = min(rest, max(parts[part], 0.0))
        parts["copying"] += found
        parts[part] -= found
        rest -= found
    return Decomposition(
        workload=row.workload,
        kernel=row.kernel,
        placement=row.placement,
        users=row.users,
        traced_us=median(trace.traced_ns for trace in traces) / 1000,
        untraced_us=row.median_us,
        stamp_us=median(trace.stamp_ns for trace in traces) / 1000,
        stamps_per_op=median(trace.stamps for trace in traces),
        messages_per_op=median(trace.messages for trace in traces),
        parts_us={part: ns / 1000 for part, ns in parts.items()},
        boots=len(boots),
    )


def costs(boots: Iterable[Boot], workload: Workload, kernel: Choice) -> list[Cost]:
    """The costs of a workload under a kernel, boot by boot."""
    return [boot.measured.costs[workload.name] for boot in boots if _has(boot, workload, kernel)]


def _has(boot: Boot, workload: Workload, kernel: Choice) -> bool:
    return boot.kernel is kernel and workload.name in boot.measured.costs


def ratios(kernels: Sequence[Choice], rows: Sequence[Row]) -> tuple[Ratio, ...]:
    """The ratio of each row over the first kernel's."""
    over = kernels[0].name
    base = {row.workload: row.boots_us for row in rows if row.kernel == over}
    return tuple(_ratio(row, over, base[row.workload]) for row in rows if row.kernel != over)


def _ratio(row: Row, over: str, base_us: Sequence[float]) -> Ratio:
    rounds = stats.ratios(row.boots_us, base_us)
    return Ratio(
        workload=row.workload,
        kernel=row.kernel,
        over=over,
        ratio=median(rounds),
        ci95=stats.median_interval(rounds),
    )
