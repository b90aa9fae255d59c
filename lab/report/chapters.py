"""A report, put together of its chapters."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.availability.course import Availability
from lab.ladder.measure import Ladder
from lab.refusal import Refusal
from lab.report import inside, measured, reliability, steps, told
from lab.report.evidence import Evidence, is_macro
from lab.report.model import Report
from lab.schema import Run
from lab.table import exact, figure


def compose(
    runs: Sequence[Run],
    sources: Sequence[Path] = (),
    ladder: Ladder | None = None,
    availability: Availability | None = None,
) -> Report:
    """The report of some runs of one host and commit.

    Args:
        runs: which.
        sources: where they are saved.
        ladder: as it was climbed on the same host.
        availability: as it was measured there.

    Raises:
        Refusal: there is nothing in them, or something is of another host.
    """
    evidence = Evidence(runs, climbed=ladder is not None)
    env = evidence.main.environment
    _check_host("ladder", ladder.host if ladder else None, env.host)
    _check_host("availability", availability.environment.host if availability else None, env.host)
    return Report(
        title="What a microkernel costs",
        about=(
            f"{sum(run.environment.boots for run in runs)} boots of each kernel in {len(runs)} "
            f"run{'s' * (len(runs) > 1)}, {env.date[:10]}, {env.cpu_model}, {env.python}, commit "
            f"{(env.commit or 'none')[:7]}{' with changes' if env.dirty else ''}"
        ),
        findings=tuple(_findings(evidence)),
        chapters=(
            told.summary(evidence, availability),
            told.environment(evidence),
            measured.micro(evidence),
            measured.macro(evidence),
            measured.payload(evidence),
            steps.chapter(ladder),
            measured.ways(evidence),
            inside.decomposition(evidence),
            measured.scaling(evidence),
            inside.memory(evidence),
            told.other_machines(evidence),
            reliability.chapter(availability),
            told.checklist(evidence),
            told.rerun(evidence, sources),
        ),
    )


def _check_host(what: str, host: str | None, of_runs: str) -> None:
    if host is not None and host != of_runs:
        raise Refusal(f"the {what} is of another host ({host}) than the runs ({of_runs}).")


def _findings(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """A few absolute figures for the head of the page; none of them is a verdict."""
    null = evidence.null
    if null:
        yield (
            figure(null.base.median_us),
            "µs",
            f"a request that asks for nothing, {null.base.kernel}",
        )
        yield figure(null.row.median_us), "µs", f"the same, {null.row.kernel}"
    programs = [each for each in evidence.of(evidence.main) if is_macro(each.row)]
    if programs:
        low, high = (pick(each.ratio.ratio for each in programs) for pick in (min, max))
        yield (
            f"{figure(low)} to {figure(high)}",
            "times",
            "the cost of a whole program, over the monolithic kernel",
        )
        messages = max(each.row.messages_per_op for each in programs)
        yield exact(round(messages)), "messages", "the most that an operation of a program causes"
