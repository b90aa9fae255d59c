"""Comparing kernels: many boots in random order, and what they add up to.

Workloads with the same needs share a boot (a session); every kernel gets as many boots of each
session. Counting boots come first: they also find a workload that fails before time is spent on
timing. Then, round by round, one boot of each kernel and session, shuffled: what drifts during a
run drifts for all.
"""

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any, Final

from lab import environment, stats
from lab.choice import Choice
from lab.dispatch import dispatch
from lab.measuring import Cost
from lab.placement import Cpus
from lab.progress import Progress
from lab.schema import Aim, Floors, Placement, Ratio, Row, Run, Users
from lab.station import NULL, Job, Measured, Mode
from workloads.workload import Workload

BUDGET_NS: Final = 50_000_000
QUICK_BUDGET_NS: Final = 10_000_000
BOOTS: Final = 9
"""The least for which one boot that went astray doesn't widen an interval."""
QUICK_BOOTS: Final = stats.MIN_VALUES
"""Boots of each kernel and session, that is, rounds."""

CALL_AIM: Final = 10.0
"""Null through the monolithic kernel, arguments checked, in bare method calls: at most."""
PIPE_AIM: Final = 1.5
"""Null through the microkernel in raw pipe round trips, both processes on one CPU: at most."""

Session = tuple[Workload, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A comparison to be made; ratios are over the first of the kernels."""

    workloads: Sequence[Workload]
    kernels: Sequence[Choice]
    boots: int
    seed: int
    placement: Placement
    cpus: Cpus
    users: Users
    quick: bool
    command: str

    def job(self, kernel: Choice, session: Session, mode: Mode, seed: int) -> Job:
        """One boot of it."""
        return Job(
            kernel=kernel.name,
            users=self.users,
            cpus=self.cpus,
            mode=mode,
            workloads={one.name: one.options for one in session},
            budget_ns=QUICK_BUDGET_NS if self.quick else BUDGET_NS,
            seed=seed,
        )


@dataclass(frozen=True, slots=True)
class _Boot:
    kernel: Choice
    session: Session
    measured: Measured


def sessions(workloads: Iterable[Workload]) -> list[Session]:
    """The workloads, those with the same settings of services together; macro ones each alone."""
    together: list[tuple[Any, list[Workload]]] = []
    for one in workloads:
        key = (one.config, one.name if one.macro else None)
        for other, members in together:
            if other == key:
                members.append(one)
                break
        else:
            together.append((key, [one]))
    return [tuple(members) for _, members in together]


def measure(plan: Plan) -> Run:
    """Make a comparison.

    Raises:
        Refusal: a kernel does not boot as asked.
        Failure: a workload failed.
    """
    load_before = os.getloadavg()
    rng = random.Random(plan.seed)
    pairs = list(product(plan.kernels, sessions(plan.workloads)))
    with Progress(len(pairs) * (1 + plan.boots), "boot") as progress:

        def boot(kernel: Choice, session: Session, mode: Mode) -> _Boot:
            progress.begin(f"{kernel.name} {'+'.join(_groups(session))}, {mode}")
            measured = dispatch(plan.job(kernel, session, mode, rng.getrandbits(32)))
            progress.step()
            return _Boot(kernel, session, measured)

        counted = [boot(*pair, "count") for pair in pairs]
        timed = [
            boot(*pair, "time")
            for _ in range(plan.boots)
            for pair in rng.sample(pairs, k=len(pairs))
        ]
    rows = tuple(
        _row(plan, counted, timed, *each) for each in product(plan.workloads, plan.kernels)
    )
    setting = environment.Setting(
        plan.placement, plan.cpus, plan.seed, plan.boots, plan.quick, plan.command
    )
    return Run(
        environment=environment.describe(setting, load_before),
        floors=_floors(timed),
        rows=rows,
        ratios=_ratios(plan.kernels, rows),
        aims=_aims(plan, timed),
    )


def _groups(session: Session) -> list[str]:
    return list(dict.fromkeys(one.name if one.macro else one.group for one in session))


def _costs(boots: Iterable[_Boot], workload: Workload, kernel: Choice) -> list[Cost]:
    return [
        boot.measured.costs[workload.name]
        for boot in boots
        if boot.kernel is kernel and workload.name in boot.measured.costs
    ]


def _row(
    plan: Plan, counted: list[_Boot], timed: list[_Boot], workload: Workload, kernel: Choice
) -> Row:
    (count,) = _costs(counted, workload, kernel)
    boots_us = tuple(cost.ns / 1000 for cost in _costs(timed, workload, kernel))
    return Row(
        workload=workload.name,
        group=workload.group,
        options=dict(workload.options),
        kernel=kernel.name,
        transport=kernel.transport(plan.users),
        placement=plan.placement,
        users=plan.users,
        boots_us=boots_us,
        median_us=median(boots_us),
        ci95_us=stats.median_interval(boots_us),
        messages_per_op=count.messages,
        bytes_per_op=count.bytes,
    )


def _ratios(kernels: Sequence[Choice], rows: Sequence[Row]) -> tuple[Ratio, ...]:
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


def _floors(timed: Sequence[_Boot]) -> Floors:
    calls = tuple(boot.measured.method_call_ns / 1000 for boot in timed)
    pipes = tuple(boot.measured.pipe_round_trip_ns / 1000 for boot in timed)
    return Floors(
        method_call_us=median(calls),
        pipe_round_trip_us=median(pipes),
        method_call_boots_us=calls,
        pipe_round_trip_boots_us=pipes,
    )


def _aims(plan: Plan, timed: Sequence[_Boot]) -> tuple[Aim, ...]:
    """The null call of each kernel over the floor of its transport, boot by boot."""
    if all(one.name != NULL for one in plan.workloads):
        return ()
    return tuple(_aim(plan, kernel, timed) for kernel in plan.kernels)


def _aim(plan: Plan, kernel: Choice, timed: Sequence[_Boot]) -> Aim:
    calls = kernel.transport(plan.users) == "call"
    multiples = [
        boot.measured.costs[NULL].ns
        / (boot.measured.method_call_ns if calls else boot.measured.pipe_round_trip_ns)
        for boot in timed
        if boot.kernel is kernel and NULL in boot.measured.costs
    ]
    return Aim(
        kernel=kernel.name,
        over="method call" if calls else "pipe round trip",
        ratio=median(multiples),
        ci95=stats.median_interval(multiples),
        aim=CALL_AIM if calls else PIPE_AIM,
    )
