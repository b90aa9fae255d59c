"""What follows from measures: a verdict, by the rule of the claim, and the reason for it."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from lab.debate.claim import Claim, Rule
from lab.debate.evidence import Finding, Measure
from lab.refusal import Refusal

Word = Literal["supported", "contradicted", "not shown", "not decidable on this host"]

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
_CONDITION: Final = re.compile(r"\s*(<=|>=|==|!=|<|>)\s*(-?\d+(?:\.\d+)?)\s*")


class Verdict(NamedTuple):
    """What follows, and why."""

    word: Word
    reason: str


def condition(text: str) -> Callable[[Measure], bool]:
    """Whether all of a measure's interval meets a condition such as `<= 1.1`.

    Raises:
        Refusal: that is no condition.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise Refusal(f"{text!r} is no condition; `<= 1.1` is one.")
    compare, bound = _OPERATORS[found[1]], float(found[2])
    if found[1] in {"==", "!="}:
        return lambda measure: measure.exact and compare(measure.value, bound)
    return lambda measure: measure.known and all(compare(end, bound) for end in measure.ends)


def check(claim: Claim) -> None:
    """Make sure that a claim's rule can be applied.

    Raises:
        Refusal: a condition is none.
    """
    for rule in claim.rules:
        condition(rule.supported)
        if rule.contradicted:
            condition(rule.contradicted)


def told(rule: Rule) -> str:
    """A rule, in a sentence; words between backticks are code."""
    against = f", contradicted if one is `{rule.contradicted}`" if rule.contradicted else ""
    return (
        f"Supported if every measure `{rule.measure}` is `{rule.supported}`{against}. What would "
        f"have falsified it: {rule.says}"
    )


def judge(claim: Claim, finding: Finding | None) -> Verdict:
    """The verdict on a claim.

    Args:
        claim: which.
        finding: of its experiment; None: it has none.
    """
    if claim.undecidable:
        return Verdict("not decidable on this host", claim.undecidable)
    if claim.needs or finding is None or claim.rule is None:
        return Verdict("not shown", f"needs {claim.needs}")
    if finding.lacks:
        return Verdict("not shown", f"needs {finding.lacks}")
    return _together([_by_rule(rule, finding.measures) for rule in claim.rules])


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict by several rules: the first that goes against the claim, or leaves it open."""
    for word in ("contradicted", "not shown"):
        found = [verdict.reason for verdict in verdicts if verdict.word == word]
        if found:
            return Verdict(word, "; ".join(found))
    return Verdict("supported", "; ".join(verdict.reason for verdict in verdicts))


def _by_rule(rule: Rule, measures: Sequence[Measure]) -> Verdict:
    judged = [measure for measure in measures if measure.name.startswith(rule.measure)]
    against = [
        measure for measure in judged if rule.contradicted and condition(rule.contradicted)(measure)
    ]
    holds = [measure for measure in judged if condition(rule.supported)(measure)]
    if not judged:
        return Verdict("not shown", f"nothing was measured that is called {rule.measure!r}")
    if against:
        names = "; ".join(measure.name for measure in against)
        return Verdict("contradicted", f"{rule.contradicted} holds for {names}")
    if len(holds) == len(judged):
        what = judged[0].name if len(judged) == 1 else f"all {len(judged)} of {rule.measure!r}"
        return Verdict("supported", f"{rule.supported} holds for {what}")
    open_ = [measure for measure in judged if measure not in holds]
    names = "; ".join(measure.name for measure in open_)
    why = "" if all(measure.known for measure in open_) else ", for lack of boots"
    return Verdict("not shown", f"neither condition holds for {names}{why}")
