"""The rules of a credible report, and how each is judged: by looking at the runs, not by claiming.

After Heiser's benchmarking crimes, Kalibera and Jones, and the SIGPLAN checklist.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from lab.report.evidence import Evidence, is_macro
from lab.steadiness import LIMIT
from workloads.catalogue import catalogue

Judgement = tuple[str, str]
"""yes, partly or no; and where, or what is missing."""


class Rule(NamedTuple):
    """One rule.

    Attributes:
        rule: in a sentence.
        judge: looks whether some runs keep it.
    """

    rule: str
    judge: Callable[[Evidence], Judgement]


def _all_workloads(evidence: Evidence) -> Judgement:
    have = {row.workload for run in evidence.runs for row in run.rows}
    lack = [one.name for one in catalogue().values() if one.name not in have and not one.extra]
    if lack:
        return "partly", f"left out: {', '.join(lack)}"
    return "yes", "Single operations, Whole programs: every workload that is not optional"


def _sweeps(evidence: Evidence) -> Judgement:
    groups = {row.group for run in evidence.runs for row in run.rows}
    lack = [name for name in ("payload", "aim") if name not in groups]
    if lack:
        return "partly", f"without {', '.join(lack)}"
    return "yes", "Size of a message (1 B to 1 MiB), More jobs at once (1 to 8)"


def _apart(evidence: Evidence) -> Judgement:
    kinds = {is_macro(row) for run in evidence.runs for row in run.rows}
    return ("yes" if len(kinds) == 2 else "partly"), "two chapters, and no headline number"


def _processor_time(evidence: Evidence) -> Judgement:
    lack = [row.workload for run in evidence.runs for row in run.rows if not row.cpu_us]
    return ("partly", "some rows lack it") if lack else ("yes", "processor time beside every cost")


def _denominators(_evidence: Evidence) -> Judgement:
    return "yes", "differences in µs beside ratios; the kernel that ratios are over is named"


def _intervals(evidence: Evidence) -> Judgement:
    lack = [ratio.workload for run in evidence.runs for ratio in run.ratios if ratio.ci95 is None]
    if lack:
        return "no", f"too few boots for an interval of {', '.join(dict.fromkeys(lack))}"
    return "yes", "a 95 % interval over boots of each ratio; 'no difference shown' is a verdict"


def _means(_evidence: Evidence) -> Judgement:
    return "yes", "geometric means only, below the full table"


def _is_a_model(evidence: Evidence) -> Judgement:
    if not any(run.host_counts for run in evidence.runs):
        return "partly", "a box says so; the host's own counts are missing (--validate)"
    return "yes", "a box says so; counts are held against the host's: Where the time goes"


def _seeds(evidence: Evidence) -> Judgement:
    if any(run.pilot for run in evidence.runs):
        return "yes", "the pilot's boots have seeds of their own and are not reported"
    return "yes", "nothing was tuned by these runs: the number of boots was given"


def _baselines(evidence: Evidence) -> Judgement:
    lack = [] if evidence.main.tmpfs_us else ["the host's tmpfs"]
    lack += [] if evidence.climbed else ["threads (the ladder)"]
    have = "a bare call and a bare pipe in every boot; the services' hash"
    if lack:
        return "partly", f"{have}. Not here: {', '.join(lack)}"
    return "yes", f"{have}; the host's tmpfs: Single operations; threads: The ladder"


def _platform(_evidence: Evidence) -> Judgement:
    return "yes", "Environment; every sub-result; absolute units"


def _other_costs(_evidence: Evidence) -> Judgement:
    return "yes", "Memory and start-up"


def _steady(evidence: Evidence) -> Judgement:
    measured = [run.overhead for run in evidence.runs]
    if any(overhead is None for overhead in measured):
        return "no", "a run did not measure its measurement"
    if any(overhead and overhead.spread > LIMIT for overhead in measured):
        return "no", "measured anyway: the loop's own cost varied too much"
    return "yes", "Environment: spread"


def _placements(evidence: Evidence) -> Judgement:
    found = {run.environment.placement for run in evidence.runs}
    return (
        ("yes", "one and two processors") if len(found) == 2 else ("partly", "one placement only")
    )


def _clean(evidence: Evidence) -> Judgement:
    env = evidence.main.environment
    if env.commit is None or env.dirty:
        return "no", "not of a commit, or with changes"
    return "yes", f"commit {env.commit[:12]}"


def _errors(_evidence: Evidence) -> Judgement:
    return "yes", "a run in which an operation fails is not saved; every result is checked"


def _tracing(_evidence: Evidence) -> Judgement:
    return "yes", "traced boots are others than timed ones; Where the time goes has its cost"


def _one_host(evidence: Evidence) -> Judgement:
    hosts = {run.environment.host for run in evidence.runs}
    return ("yes" if len(hosts) == 1 else "no"), "runs of different hosts are refused"


RULES: Final = (
    Rule("Show all workloads, not a selection", _all_workloads),
    Rule("Sweep sizes and loads", _sweeps),
    Rule("Keep single operations apart from whole programs", _apart),
    Rule("Processor time, not only throughput", _processor_time),
    Rule("Differences and ratios with their denominator; no percentage points", _denominators),
    Rule("An interval for every ratio", _intervals),
    Rule("No arithmetic mean of ratios", _means),
    Rule("Say that it is a simulation, and validate it", _is_a_model),
    Rule("Don't report what was tuned on", _seeds),
    Rule("Fair baselines", _baselines),
    Rule("Platform, sub-results, absolute numbers", _platform),
    Rule("Memory and start-up, not only run time", _other_costs),
    Rule("Measure the measurement", _steady),
    Rule("Report where processes ran", _placements),
    Rule("Versions: a commit without changes", _clean),
    Rule("An operation that fails ends the run", _errors),
    Rule("Tracing is off while timing, and its cost is reported", _tracing),
    Rule("Never mix hosts", _one_host),
)
