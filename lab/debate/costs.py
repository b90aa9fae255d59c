"""Experiments that time: kernels, parts of a request, other machines."""

import os
from collections.abc import Callable, Mapping, Sequence
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

    Parameters: `workloads`, and `quick`, those of a quick run; `kernels` (both by default);
    `placement`, one or two; `users`, inline or process; `prices`, whether to reckon what a message
    may cost. Measures: `ratio WORKLOAD, KERNEL`; `added`, in µs; `messages` by operation; and with
    `prices`, in µs, `paid`, what a message adds here, and `affordable`, what it may add for the
    workload to cost 5 % more.
    """
    if _lacks_processors(parameters):
        return Finding(lacks="two processors")
    return _ratios(_bench(setting, parameters), prices=bool(parameters.get("prices")))


def _lacks_processors(parameters: Mapping[str, Any]) -> bool:
    return parameters.get("placement") == "two" and len(os.sched_getaffinity(0)) < 2


def _ratios(run: Run, *, prices: bool) -> Finding:
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
        if prices and row.messages_per_op:
            affordable = replay.TOLERATED * base.median_us / row.messages_per_op
            measures += [
                Measure(f"paid {name}", added / row.messages_per_op, unit="µs"),
                Measure(f"affordable {name}", affordable, unit="µs"),
            ]
    return Finding(measures, notes=[f"over {run.ratios[0].over}"] if run.ratios else [])


def _bench(setting: Setting, parameters: Mapping[str, Any]) -> Run:
    where = parameters.get("placement", "one")
    names = parameters["workloads"]
    if setting.quick:
        names = parameters.get("quick", names)
    chosen = selection.chosen(names, quick=setting.quick)
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
        measures.append(_of_rounds(f"ratio {other} over {one}", rounds))
    return Finding(measures)


def savings(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What sending fewer messages saves, and what sending them faster does, on two processors.

    Fewer: `grouping`, file system and disk in one address space; `caching`, a page that the client
    has mapped instead of one that it asks for; `batching`, 64 requests in a message. Faster: the
    ring instead of pipes. Parameters: `program`, the workload that is grouped. Measures: `kept by
    WAY`, the share of a cost that is left; `kept by faster messages, WAY`, the same of the same
    workload with the ring; `fewer over faster, WAY`, the first over the second.
    """
    parameters = {**parameters, "placement": "two"}
    if _lacks_processors(parameters):
        return Finding(lacks="two processors")
    plain, ring, grouped = "microkernel", "microkernel@ring", "hybrid:filesystem+disk"
    program = str(parameters["program"])
    pairs = {
        "grouping": ((program, plain), (program, grouped)),
        "caching": (("pread-1", plain), ("load", plain)),
        "batching": (("batch-1", plain), ("batch-64", plain)),
    }
    workloads = [program, "pread-1", "load", "batch-1", "batch-64"]
    wanted = {**parameters, "workloads": workloads, "kernels": [plain, ring, grouped]}
    boots = {(row.workload, row.kernel): row.boots_us for row in _bench(setting, wanted).rows}
    measures = []
    for way, (before, after) in pairs.items():
        fewer = ratios(boots[after], boots[before])
        faster = ratios(boots[before[0], ring], boots[before])
        measures += [
            _of_rounds(f"kept by {way}", fewer),
            _of_rounds(f"kept by faster messages, {way}", faster),
            _of_rounds(f"fewer over faster, {way}", ratios(fewer, faster)),
        ]
    return Finding(measures, notes=[f"grouping: {program}; caching: load over pread-1"])


def _of_rounds(name: str, values: Sequence[float]) -> Measure:
    return Measure(name, median(values), median_interval(values))


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
                    modules=(workload.function.__module__,),
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

    Parameters: `workloads`; `tolerated`, an overhead. Measures: `overhead WORKLOAD, MACHINE`, a
    fraction, with the band of what was assumed; `machines above, WORKLOAD` and `machines below,
    WORKLOAD`: on how many all of the band is above or below what is tolerated; `verdict flips,
    WORKLOAD`, 1 if there are both.
    """
    run = _bench(Setting(True, 1, setting.seed, setting.cpus, True), parameters)
    tolerated = float(parameters.get("tolerated", replay.TOLERATED))
    measures, sums = [], []
    for counts in replay.counts_of([run]):
        made = [replay.predict(counts, machine) for machine in select(machines(), [])]
        measures += [
            Measure(
                f"overhead {counts.workload}, {one.machine.label} ({one.machine.year})",
                one.overhead,
                one.band,
            )
            for one in made
        ]
        above = sum(one.band[0] > tolerated for one in made)
        below = sum(one.band[1] <= tolerated for one in made)
        sums += [
            Measure(f"machines above, {counts.workload}", above, exact=True),
            Measure(f"machines below, {counts.workload}", below, exact=True),
            Measure(
                f"verdict flips, {counts.workload}", float(above > 0 and below > 0), exact=True
            ),
        ]
    return Finding(
        [*measures, *sums],
        notes=[
            "in brackets: the bands of prices and of the work assumed, no 95 % intervals",
            f"tolerated: {figure(100 * tolerated)} %",
            replay.formula().replace("\n", " "),
        ],
    )
