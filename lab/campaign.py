"""Which runs make a report.

The main run has everything: users inline, all on one processor, traced and validated. Beside it the
other placement, users as processes of their own, and the other ways to carry messages or to group
services, with what tells most.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from lab import bench, placement, selection
from lab.bench import Plan
from lab.choice import parse
from lab.refusal import Refusal
from lab.schema import Placement, Users

KERNELS: Final = ("monolithic", "microkernel")
WAYS: Final = (*KERNELS, "microkernel@ring", "microkernel@routed", "hybrid:filesystem+disk")
EXTRA: Final = ("macro", "paging", "payload", "aim", "sqlite")
"""Groups that `twinos bench` leaves out unless they are named."""
BESIDE: Final = (
    *("null", "pread-4k", "stat", "create-4k", "fault-zero", "tree-import"),
    *("macro", "paging", "payload", "aim"),
)
PROCESSES: Final = (
    *("null", "pread-4k", "stat", "create-4k", "fault-zero", "tree-import"),
    *("macro", "programs", "processes", "sqlite"),
)
QUICK_BESIDE: Final = (
    *("null", "pread-4k", "stat", "fault-zero"),
    *("postmark", "varmail", "aim-1", "aim-4"),
)
QUICK_PROCESSES: Final = (
    *("null", "pread-4k", "stat", "fault-zero"),
    *("postmark", "varmail", "pipeline"),
)
WAYS_TELL: Final = (
    *("null", "pread-4k", "stat", "create-4k", "fault-zero"),
    *("postmark", "varmail"),
)
QUICK_WAYS_TELL: Final = ("null", "pread-4k", "varmail")
PRECISION: Final = 0.05
"""The half-width of intervals that the reference run is made for."""


class Size(NamedTuple):
    """How much is measured.

    Attributes:
        quick: small workloads and short slices.
        boots: of each kernel, unless `precision` has a pilot choose.
        precision: see `Plan`.
        traces: traced boots of each kernel.
        names: if not everything, which workloads or groups.
    """

    quick: bool
    boots: int
    precision: float | None
    traces: int
    names: tuple[str, ...] = ()


QUICK: Final = Size(quick=True, boots=bench.QUICK_BOOTS, precision=None, traces=1)
NORMAL: Final = Size(quick=False, boots=bench.BOOTS, precision=None, traces=3)
REFERENCE: Final = Size(quick=False, boots=bench.BOOTS, precision=PRECISION, traces=3)


def plans(size: Size, seed: int, command: str, *, unsteady: bool) -> Iterator[Plan]:
    """The plans of the runs; seeds are told apart by the run's number.

    Args:
        size: how much.
        seed: of the first.
        command: as it was given.
        unsteady: see `Plan`.

    Raises:
        Refusal: a name is unknown.
    """
    for number, (where, users, kernels, names) in enumerate(_settings(size)):
        chosen = selection.chosen(names, quick=size.quick)
        main = number == 0
        yield Plan(
            workloads=selection.runnable(chosen, named=False),
            kernels=[parse(name) for name in kernels],
            boots=size.boots,
            seed=seed + number,
            placement=where,
            cpus=placement.choose(where),
            users=users,
            quick=size.quick,
            command=command,
            precision=size.precision,
            traces=size.traces if main else 0,
            baseline=main,
            validate=main,
            unsteady=unsteady or size.quick,
        )


class _Setting(NamedTuple):
    """What tells the runs apart."""

    placement: Placement
    users: Users
    kernels: Sequence[str]
    names: Sequence[str]


def _settings(size: Size) -> Iterator[_Setting]:
    def told(quick: Sequence[str], full: Sequence[str]) -> Sequence[str]:
        return size.names or (quick if size.quick else full)

    yield _Setting("one", "inline", KERNELS, size.names or _everything())
    if _has_two():
        yield _Setting("two", "inline", KERNELS, told(QUICK_BESIDE, BESIDE))
    yield _Setting("one", "process", KERNELS, told(QUICK_PROCESSES, PROCESSES))
    yield _Setting("one", "inline", WAYS, told(QUICK_WAYS_TELL, WAYS_TELL))
    if _has_two():
        yield _Setting("two", "inline", WAYS, told(QUICK_WAYS_TELL, WAYS_TELL))


def _has_two() -> bool:
    """Whether there are two processors; if not, the report says that a placement is missing."""
    try:
        placement.choose("two")
    except Refusal:
        return False
    return True


def _everything() -> list[str]:
    """All workloads that `twinos bench` runs, and the groups that only a report takes."""
    return list(dict.fromkeys([*(one.name for one in selection.chosen([])), *EXTRA]))
