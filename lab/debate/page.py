"""All cases as one page (extra `report`)."""

from collections import Counter
from collections.abc import Iterator, Sequence

from lab.debate.claim import TRUST
from lab.debate.show import MODEL, WORDS, Case, shown
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
        (c.claim.title, c.verdict.word, c.claim.who, c.claim.when, c.claim.trust) for c in cases
    )
    headers = ("claim", "verdict", "who", "when", "trust")
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
    if finding is not None and finding.measures:
        rows = ((measure.name, shown(measure)) for measure in finding.measures)
        yield table("What was measured, with 95 % intervals", ("measure", "value"), rows)
    if finding is not None:
        yield from (Text(note) for note in finding.notes)
    yield Box(f"**{verdict.word.capitalize()}**: {verdict.reason.rstrip('.')}.")
    if claim.rule is not None:
        yield Text(
            f"**Rule.** Supported if every measure `{claim.rule.measure}` is "
            f"`{claim.rule.supported}`, contradicted if one is `{claim.rule.contradicted}`. What "
            f"would have falsified it: {claim.rule.says}"
        )
    if claim.limits:
        yield Text(f"**Limits.** {claim.limits}")
