"""A claim and its verdict, as text; and all of them, as the chapters of a page."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from lab.debate.claim import TRUST, Claim
from lab.debate.evidence import Finding, Measure
from lab.debate.rule import Verdict, told
from lab.table import exact, figure

WORDS: Final = ("supported", "contradicted", "not shown", "not decidable on this host")
MODEL: Final = (
    "A verdict is one on this model, on this host, by the rule that is given; it is not one on the "
    "people, nor on kernels that are not written in Python."
)


class Case(NamedTuple):
    """A claim, what its experiment found, and what follows."""

    claim: Claim
    finding: Finding | None
    verdict: Verdict


def as_text(case: Case, width: int) -> str:
    """A case for a terminal of so many columns."""
    claim, finding, verdict = case
    parts = [
        _wrapped(f"{claim.id}: {claim.claim}", width, indent=""),
        _wrapped(f"{claim.who}, {claim.when}: {claim.source}. {_trust(claim)}", width),
        _wrapped(f"Experiment: {claim.test}", width),
        *(_wrapped(line, width, "    ") for line in _results(finding)),
        *([_wrapped(f"What is judged: {claim.judged}", width)] if claim.judged else []),
        _wrapped(f"Verdict: {verdict.word.upper()}: {verdict.reason.rstrip('.')}.", width),
        *(_wrapped(line, width) for line in _rule(claim)),
    ]
    return "\n".join(parts)


def tally(cases: Sequence[Case]) -> str:
    """How many verdicts of each kind there are."""
    counted = Counter(case.verdict.word for case in cases)
    return ", ".join(f"{word}: {counted[word]}" for word in WORDS if counted[word])


def shown(measure: Measure) -> str:
    """A measure's value, with its interval and unit."""
    unit = f" {measure.unit}" if measure.unit else ""
    if measure.interval is None:
        return f"{(exact if measure.exact else figure)(measure.value)}{unit}"
    low, high = measure.interval
    return f"{figure(measure.value)}{unit} [{figure(low)}; {figure(high)}]"


def _results(finding: Finding | None) -> Iterator[str]:
    if finding is None:
        return
    yield from (f"{measure.name}: {shown(measure)}" for measure in finding.measures)
    yield from (f"({note})" for note in finding.notes)


def _rule(claim: Claim) -> Iterator[str]:
    for rule in claim.rules:
        yield f"Rule: {told(rule).replace('`', chr(39))}"
    if claim.limits:
        yield f"Limits: {claim.limits}"


def _trust(claim: Claim) -> str:
    mark = f"Trust {claim.trust}: {TRUST[claim.trust]}."
    return mark if claim.trust == "A" else f"{mark} CHECK IT BEFORE YOU QUOTE IT."


def _wrapped(text: str, width: int, indent: str = "  ") -> str:
    return textwrap.fill(
        text, min(width, 100), initial_indent=indent, subsequent_indent=indent or "  "
    )
