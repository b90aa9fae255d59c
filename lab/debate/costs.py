"""Experiments that time: kernels, parts of a request, other machines."""

import os
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from lab import bench, placement, replay, selection
from lab.choice import parse
from lab.debate.evidence import Finding, Measure, Setting
from lab.decompose import Trace
from lab.dispatch import dispatch
from lab.machines import machines, select
from lab.schema import Run
from lab.station import Job
from lab.stats import MIN_VALUES, median_interval, ratios
from lab.table import figure

BOTH = ("monolithic", "microkernel")
Shares = Mapping[str, Callable[[Trace], float]]
"""By name, what of a trace."""


def cost(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """The cost of workloads under kernels, over that under the first of them.

    Parameters: `workloads`; `kernels` (both by default); `placement`, one or two; `users`, inline
    or process. Measures: `ratio WORKLOAD, KERNEL`; and `added`, in µs, `messages` by operation.
    """
    if parameters.get("placement") == "two" and len(os.sched_getaffinity(0)) < 2:
        return Finding(lacks="two processors")
    return _ratios(_bench(setting, parameters))


def _ratios(run: Run) -> Finding:
    measures = []
    rows = {(row.workload, row.kernel): row for row in run.rows}
    for ratio in run.ratios:
        name = f"{ratio.workload}, {ratio.kernel}"
        row, base = rows[ratio.workload, ratio.kernel], rows[ratio.workload, ratio.over]
        added = row.median_us - base.median_us
        measures += [
            Measure(f"ratio {name}", ratio.ratio, ratio.ci95),
            Measure(f"added {name}", added, unit="µs"),
            Measure(f"messages {name}", row.messages_per_op, exact=True),
        ]
    return Finding(measures, notes=[f"over {run.ratios[0].over}"] if run.ratios else [])


def _bench(setting: Setting, parameters: Mapping[str, Any]) -> Run:
    where = parameters.get("placement", "one")
    chosen = selection.chosen(parameters["workloads"], quick=setting.quick)
    plan = bench.Plan(
        workloads=selection.runnable(chosen, named=False),
        kernels=[parse(name) for name in parameters.get("kernels", BOTH)],
        boots=setting.boots,
        seed=setting.seed,
        placement=where,
        cpus=placement.choose(where),
        users=parameters.get("users", "inline"),
        quick=setting.quick,
        command="twinos debate",
        unsteady=setting.unsteady,
    )
    return bench.measure(plan)


def beside(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """Workloads beside each other under one kernel: the cost of one over that of another.

    Parameters: `pairs`, each two names of workloads; `kernel`. Measures: `ratio B over A`.
    """
    pairs = parameters["pairs"]
    wanted = {"workloads": [name for pair in pairs for name in pair]}
    run = _bench(setting, {**wanted, "kernels": [parameters.get("kernel", "microkernel")]})
    boots = {row.workload: row.boots_us for row in run.rows}
    measures = []
    for one, other in pairs:
        rounds = ratios(boots[other], boots[one])
        measures.append(
            Measure(f"ratio {other} over {one}", median(rounds), median_interval(rounds))
        )
    return Finding(measures)


def free_messages(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What is left of a workload under the microkernel if messages cost nothing: a share of 1.

    What goes is the part `switching` of traced boots: host calls, wake-up and switch. Parameters:
    `workloads`. Measures: `left WORKLOAD`.
    """
    return _traced(setting, parameters, {"left": lambda trace: 1 - _share(trace, "switching")})


def layers(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """The share of checking, encoding and the gate in a workload's time under the microkernel.

    And that of switching beside it. Parameters: `workloads`. Measures: `layers WORKLOAD`,
    `switching WORKLOAD`.
    """
    shares: Shares = {
        "layers": lambda trace: _share(trace, "checking", "encoding", "queueing"),
        "switching": lambda trace: _share(trace, "switching"),
    }
    return _traced(setting, parameters, shares)


def _share(trace: Trace, *parts: str) -> float:
    """The share of some parts; one that the cost of stamps made negative is nothing."""
    found = {name: max(ns, 0.0) for name, ns in trace.parts.items()}
    return sum(map(found.__getitem__, parts)) / sum(found.values())


def _traced(setting: Setting, parameters: Mapping[str, Any], shares: Shares) -> Finding:
    chosen = selection.chosen(parameters["workloads"], quick=setting.quick)
    measures = []
    for workload in chosen:
        traces = [
            dispatch(
                Job(
                    kernel="microkernel",
                    users="inline",
                    cpus=setting.cpus,
                    mode="trace",
                    workloads={workload.name: workload.options},
                    seed=setting.seed + boot,
                )
            ).traces[workload.name]
            for boot in range(max(setting.boots, MIN_VALUES))
        ]
        for name, share in shares.items():
            values = sorted(map(share, traces))
            interval = median_interval(values)
            measures.append(Measure(f"{name} {workload.name}", values[len(values) // 2], interval))
    return Finding(measures)


def priced(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """The counts of a workload, priced on machines of many years: does the answer change?

    Parameters: `workloads`; `tolerated`, an overhead. Measures: `overhead MACHINE`, a fraction,
    with the band of what was assumed; `machines above`, `machines below`: how many are above and
    below what is tolerated, and `verdict flips`, 1 if there are both.
    """
    run = _bench(Setting(True, 1, setting.seed, setting.cpus, True), parameters)
    tolerated = float(parameters.get("tolerated", replay.TOLERATED))
    measures = []
    overheads = []
    for counts in replay.counts_of([run]):
        for machine in select(machines(), []):
            made = replay.predict(counts, machine)
            overheads.append(made.overhead)
            name = f"overhead {counts.workload}, {machine.label} ({machine.year})"
            measures.append(Measure(name, made.overhead, made.band))
    above = sum(overhead > tolerated for overhead in overheads)
    below = len(overheads) - above
    return Finding(
        [
            *measures,
            Measure("machines above", above, exact=True),
            Measure("machines below", below, exact=True),
            Measure("verdict flips", float(bool(above and below)), exact=True),
        ],
        notes=[f"tolerated: {figure(100 * tolerated)} %", replay.formula().replace("\n", " ")],
    )
