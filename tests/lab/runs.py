"""Runs that nobody measured, for tests of what is made of runs."""

import random
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from lab import bench, steadiness
from lab.choice import parse
from lab.decompose import PARTS, CopyPrices, Trace
from lab.measuring import Cost
from lab.placement import Cpus
from lab.schema import Overhead, Run
from lab.station import Job, Measured
from workloads.catalogue import select

KERNELS = ("monolithic", "microkernel")
OVERHEAD = Overhead(clock_us=0.05, loop_us=0.02, loop_batches_us=(0.02, 0.021), spread=1.05)


def made_up(
    names: Sequence[str] = ("null", "stat", "varmail"),
    *,
    kernels: Sequence[str] = KERNELS,
    us: float = 1.0,
    factor: float = 5.0,
    boots: int = 9,
    seed: int = 1992,
    noise: float = 0.05,
    traces: int = 0,
    placement: Any = "one",
    **environment: Any,
) -> Run:
    """A run in which every kernel after the first costs `factor` times as much as the one before.

    Args:
        names: of workloads.
        kernels: which.
        us: what an operation costs under the first.
        factor: see above.
        boots: of each.
        seed: of the noise.
        noise: as a fraction, evenly spread.
        traces: traced boots.
        placement: of the processes.
        environment: what is to be different in it.
    """
    lots = random.Random(seed)

    def carry_out(job: Job) -> Measured:
        place = list(kernels).index(job.kernel)
        cost = us * factor**place * 1000
        messages = 2.0 * bool(place)
        trace = Trace(
            traced_ns=2 * cost,
            stamp_ns=100.0,
            stamps=10.0,
            messages=messages,
            parts=dict.fromkeys(set(PARTS) - {"copying"}, cost / len(PARTS)),
        )
        return Measured(
            {
                name: Cost(
                    ns=cost * lots.uniform(1, 1 + noise),
                    messages=messages,
                    bytes=50.0 * messages,
                    requests=1.0,
                    cpu_ns=cost,
                    switches=messages,
                )
                for name in job.workloads
            },
            50.0,
            8000.0,
            boot_ns=5e6 * (1 + place),
            memory_kib=20_000.0 * (1 + place),
            traces=dict.fromkeys(job.workloads, trace) if job.mode == "trace" else {},
            copy_prices=CopyPrices(0.05, 0.2),
        )

    plan = bench.Plan(
        workloads=select(names),
        kernels=[parse(name) for name in kernels],
        boots=boots,
        seed=seed,
        placement=placement,
        cpus=Cpus(0, 0),
        users="inline",
        quick=True,
        command="twinos bench",
        traces=traces,
    )
    with patch.object(steadiness, "measure", return_value=OVERHEAD):
        run = bench.measure(plan, carry_out)
    return replace(run, environment=replace(run.environment, **environment))
