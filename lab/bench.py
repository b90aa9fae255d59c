"""Comparing kernels: many boots in random order.

Workloads with the same needs share a boot (a session); every kernel gets as many boots of each
session. What measuring itself costs comes first. Then counting boots: they also find a workload
that fails before time is spent on timing. Then, if asked for, a pilot that finds how many rounds
are enough. Then, round by round, one boot of each kernel and session, shuffled: what drifts during
a run drifts for all.
"""

import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from types import TracebackType
from typing import Any, Final, Self

from lab import environment, host_counts, pilot, stats, steadiness, tmpfs
from lab.assembly import Boot, Boots, Session, costs, ratios
from lab.choice import Choice
from lab.dispatch import dispatch
from lab.placement import Cpus
from lab.progress import Progress
from lab.refusal import Refusal
from lab.schema import Pilot, Placement, Run, Users
from lab.station import Job, Measured, Mode
from workloads.workload import Workload

BUDGET_NS: Final = 50_000_000
QUICK_BUDGET_NS: Final = 10_000_000
BOOTS: Final = 9
"""The least for which one boot that went astray doesn't widen an interval."""
QUICK_BOOTS: Final = stats.MIN_VALUES
"""Boots of each kernel and session, that is, rounds."""

CarryOut = Callable[[Job], Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A comparison to be made; ratios are over the first of the kernels.

    Attributes:
        precision: the half-width of intervals that a pilot is to choose the number of boots for, as
            a fraction; None: `boots` says how many.
        traces: boots of each kernel and session that are traced, beside the others.
        baseline: whether to measure the host's tmpfs, too.
        validate: whether to have the host count system calls, where it can.
        unsteady: whether to measure a host that is too unsteady to be measured, too.
    """

    workloads: Sequence[Workload]
    kernels: Sequence[Choice]
    boots: int
    seed: int
    placement: Placement
    cpus: Cpus
    users: Users
    quick: bool
    command: str
    precision: float | None = None
    traces: int = 0
    baseline: bool = False
    validate: bool = False
    unsteady: bool = True

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
            modules=tuple(sorted({one.function.__module__ for one in session})),
        )


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


def measure(plan: Plan, carry_out: CarryOut | None = None) -> Run:
    """Make a comparison.

    Args:
        plan: which.
        carry_out: has one boot made; a fresh interpreter makes it if nobody says otherwise.

    Raises:
        Refusal: a kernel does not boot as asked, or the host is too unsteady.
        Failure: a workload failed.
    """
    _check_users(plan)
    load_before = os.getloadavg()
    overhead = steadiness.measure(plan.cpus.user)
    if not plan.unsteady:
        steadiness.check(overhead)
    with _Campaign(plan, carry_out or dispatch) as campaign:
        counted = campaign.count()
        chosen = campaign.choose() if plan.precision else None
        rounds = chosen.boots if chosen else plan.boots
        timed = campaign.time(rounds)
        traced = campaign.trace()
    beside = plan.baseline and tmpfs.measure(plan.workloads, plan.cpus.user, quick=plan.quick)
    boots = Boots(plan.workloads, plan.kernels, plan.placement, plan.users, counted, timed, traced)
    rows = boots.rows()
    job = plan.job(plan.kernels[0], (), "repeat", plan.seed)
    validated = host_counts.count(rows, job) if plan.validate and not host_counts.missing() else ()
    setting = environment.Setting(
        plan.placement, plan.cpus, plan.seed, rounds, plan.quick, plan.command
    )
    return Run(
        environment=environment.describe(setting, load_before),
        floors=boots.floors(),
        rows=rows,
        ratios=ratios(plan.kernels, rows),
        aims=boots.aims(),
        overhead=overhead,
        pilot=chosen,
        decompositions=boots.decompositions(rows),
        host_counts=tuple(validated),
        tmpfs_us=beside or {},
    )


def _check_users(plan: Plan) -> None:
    """Refuse what starts programs where the monolithic kernel lives in its user's process."""
    inline = plan.users == "inline" and any(one.kernel == "monolithic" for one in plan.kernels)
    for one in plan.workloads:
        if one.processes and inline:
            raise Refusal(f"{one.name} starts programs, which are processes: --users process.")


def boots_of(plan: Plan) -> int:
    """How many boots a comparison takes, as far as is known before a pilot."""
    pairs = list(product(plan.kernels, sessions(plan.workloads)))
    rounds = 1 + (pilot.ROUNDS + stats.MIN_VALUES if plan.precision else plan.boots)
    traced = sum(bool(_traceable(session)) for _, session in pairs) * plan.traces
    return len(pairs) * rounds + traced


class _Campaign:
    """The boots of a comparison, one after the other, and how far they are."""

    def __init__(self, plan: Plan, carry_out: CarryOut) -> None:
        self._plan = plan
        self._carry_out = carry_out
        self._rng = random.Random(plan.seed)
        self._pairs = list(product(plan.kernels, sessions(plan.workloads)))
        self._progress = Progress(boots_of(plan), "boot")

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.__exit__(kind, error, traceback)

    def count(self) -> list[Boot]:
        return [self._boot(*pair, "count") for pair in self._pairs]

    def time(self, rounds: int) -> list[Boot]:
        return [
            self._boot(*pair, "time")
            for _ in range(rounds)
            for pair in self._rng.sample(self._pairs, k=len(self._pairs))
        ]

    def trace(self) -> list[Boot]:
        pairs = [(kernel, _traceable(session)) for kernel, session in self._pairs]
        return [
            self._boot(kernel, session, "trace")
            for _ in range(self._plan.traces)
            for kernel, session in pairs
            if session
        ]

    def choose(self) -> Pilot:
        """Find out how many rounds are enough; the boots made for it serve nothing else."""
        precision = self._plan.precision or 0.0
        tried = self.time(pilot.ROUNDS)
        boots = pilot.rounds_for(self._ratios(tried), precision)
        self._progress.expect((boots - stats.MIN_VALUES) * len(self._pairs))
        return Pilot(rounds=pilot.ROUNDS, precision=precision, boots=boots)

    def _ratios(self, tried: Sequence[Boot]) -> list[list[float]]:
        first, *others = self._plan.kernels
        return [
            stats.ratios(_ns(tried, workload, other), _ns(tried, workload, first))
            for workload in self._plan.workloads
            for other in others
        ]

    def _boot(self, kernel: Choice, session: Session, mode: Mode) -> Boot:
        self._progress.begin(f"{kernel.name} {'+'.join(_groups(session))}, {mode}")
        job = self._plan.job(kernel, session, mode, self._rng.getrandbits(32))
        measured = self._carry_out(job)
        self._progress.step()
        return Boot(kernel, session, measured)


def _groups(session: Session) -> list[str]:
    return list(dict.fromkeys(one.name if one.macro else one.group for one in session))


def _traceable(session: Session) -> Session:
    """The workloads with one user: what several do at once has no single course."""
    return tuple(one for one in session if not one.several)


def _ns(boots: Sequence[Boot], workload: Workload, kernel: Choice) -> list[float]:
    return [cost.ns for cost in costs(boots, workload, kernel)]
