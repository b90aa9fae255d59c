"""All cases as one page (extra `report`)."""

from collections import Counter
from collections.abc import Iterator, Sequence

from lab.debate.claim import TRUST
from lab.debate.evidence import Measure, Picture
from lab.debate.rule import told
from lab.debate.show import MODEL, WORDS, Case, shown
from lab.drawing import Figure
from lab.figures import Interval, draw_lines
from lab.report.html import page as render
from lab.report.model import Block, Box, Chapter, Report, Text, table


def page(cases: Sequence[Case], about: str) -> str:
    """The page.

    Args:
        cases: in order.
        about: on which host and commit they were tried.
    """
    counted = Counter(case.verdict.word for case in cases)
    findings = tuple((str(counted[word]), "", word) for word in WORDS if counted[word])
    chapters = (_overview(cases), *(_chapter(case) for case in cases))
    return render(Report("The debate, claim by claim", about, findings, chapters))


def _overview(cases: Sequence[Case]) -> Chapter:
    rows = (
        (
            f"{c.claim.title} ({c.claim.who}, {c.claim.when})",
            c.claim.judged or c.claim.claim,
            c.verdict.word,
            c.claim.trust,
        )
        for c in cases
    )
    headers = ("claim", "what is judged", "verdict", "trust")
    marks = "; ".join(f"{mark}: {meaning}" for mark, meaning in TRUST.items())
    return Chapter(
        "overview",
        "All verdicts",
        (
            Box(MODEL),
            table("Claims and verdicts", headers, rows, words=True),
            Text(f"Trust, or how we know that it was said: {marks}."),
        ),
    )


def _chapter(case: Case) -> Chapter:
    return Chapter(case.claim.id, case.claim.title, tuple(_blocks(case)))


def _blocks(case: Case) -> Iterator[Block]:
    claim, finding, verdict = case
    yield Text(f"**{claim.claim}** {claim.who}, {claim.when}: {claim.source}.")
    if claim.trust != "A":
        yield Box(f"Trust {claim.trust}: {TRUST[claim.trust]}. Check it before you quote it.")
    yield Text(f"**Experiment.** {claim.test}")
    if finding is not None:
        yield from map(_drawn, finding.pictures)
    if finding is not None and finding.measures:
        rows = ((measure.name, shown(measure)) for measure in finding.measures)
        yield table(
            f"{claim.title}: what was measured; in brackets 95 % intervals, if no note differs",
            ("measure", "value"),
            rows,
        )
    if finding is not None:
        yield from (Text(f"({note})") for note in finding.notes)
    if claim.judged:
        yield Text(f"**What is judged.** {claim.judged}")
    yield Box(f"**{verdict.word.capitalize()}**: {verdict.reason.rstrip('.')}.")
    for rule in claim.rules:
        yield Text(f"**Rule.** {told(rule)}")
    if claim.limits:
        yield Text(f"**Limits.** {claim.limits}")


def _drawn(picture: Picture) -> Figure:
    lines = {
        name: [(place, _interval(measure)) for place, measure in points]
        for name, points in picture.lines.items()
    }
    return draw_lines(
        picture.title,
        picture.about,
        lines,
        across=picture.across,
        up=picture.up,
        logarithmic=picture.logarithmic,
    )


def _interval(measure: Measure) -> Interval:
    return Interval(measure.value, *measure.ends)
