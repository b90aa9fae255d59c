"""Reading a claim and a verdict, and trying the claim: what is handed in is data, and no code."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from assignments.claim.contract import EXPERIMENT, MOST, Judgement
from lab import placement
from lab.debate import rule
from lab.debate.claim import Claim, Rule
from lab.debate.evidence import Finding, Measure, Setting
from lab.debate.experiments import run
from lab.grading.bench import Bench, MismatchError
from lab.refusal import Failure, Refusal

T = TypeVar("T")


def claim_of(bench: Bench) -> tuple[Claim, Rule]:
    """The claim that was handed in, and its rule."""
    claim = _read(bench, "claim.toml", Claim)
    if claim.rule is None:
        raise MismatchError("claim.toml", "an experiment and a rule", "none")
    try:
        rule.check(claim)
    except Refusal as refusal:
        raise MismatchError("the rule", "two conditions such as `<= 1.1`", str(refusal)) from None
    return claim, claim.rule


def judgement_of(bench: Bench) -> Judgement:
    """The verdict that was handed in."""
    return _read(bench, "verdict.toml", Judgement)


def tried(claim: Claim, kernels: Sequence[str] = ()) -> Finding:
    """What the claim's experiment finds; under other kernels, if so asked."""
    parameters: Mapping[str, Any] = claim.parameters
    workloads, chosen = parameters.get("workloads"), kernels or parameters.get("kernels")
    if claim.experiment != EXPERIMENT:
        raise MismatchError("the experiment", EXPERIMENT, claim.experiment)
    if not isinstance(workloads, list) or not 0 < len(workloads) <= MOST:
        raise MismatchError("the workloads", f"a list of at most {MOST}", repr(workloads))
    setting = Setting(quick=True, boots=1, seed=1, cpus=placement.choose("one"), unsteady=True)
    try:
        return run(EXPERIMENT, setting, {"workloads": workloads, "kernels": chosen})
    except (Refusal, Failure) as error:
        raise MismatchError("the experiment", "that it can be made", str(error)) from None


def verdict(claim: Claim, finding: Finding) -> str:
    """The word that follows from the rule."""
    return rule.judge(claim, finding).word


def found(*values: float) -> list[Measure]:
    """Measures as the experiment might find them."""
    return [
        Measure(f"between w{number}, kernel", value, exact=True)
        for number, value in enumerate(values)
    ]


def _read(bench: Bench, name: str, kind: type[T]) -> T:
    try:
        return msgspec.convert(tomllib.loads(bench.files[name]), kind)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        said = " ".join(str(error).split())
        raise MismatchError(name, f"a {kind.__name__} in TOML", said) from None
