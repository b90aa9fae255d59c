"""Public tests of a claim."""

from assignments.claim.contract import FEWEST, LEAST_SAID
from assignments.claim.court import claim_of, found, judgement_of, tried, verdict
from lab.debate.evidence import Finding
from lab.grading.bench import Bench


def it_has_the_form_of_a_claim(bench: Bench) -> None:
    """Who said what, when and where; how it is tried; and what that can't show."""
    claim, rule = claim_of(bench)
    said = {"test": claim.test, "limits": claim.limits, "rule.says": rule.says}
    for name, text in said.items():
        bench.true(f"{name} says something", len(text) >= LEAST_SAID, repr(text))
    workloads = claim.parameters.get("workloads", [])
    bench.true(f"there are {FEWEST} workloads", len(set(workloads)) >= FEWEST, repr(workloads))


def the_experiment_runs(bench: Bench) -> None:
    """It finds figures that the rule is about, and they are counted."""
    claim, rule = claim_of(bench)
    measures = tried(claim).measures
    judged = [each for each in measures if each.name.startswith(rule.measure)]
    bench.true("the rule is about something that was measured", bool(judged), repr(measures))
    bench.true("it is counted", all(each.exact for each in judged))


def the_rule_can_go_either_way(bench: Bench) -> None:
    """Some findings support the claim, others contradict it."""
    claim, _ = claim_of(bench)
    none, many = Finding(found(0, 0, 0)), Finding(found(0, 0, 8))
    bench.expect("the verdict if nothing is between", verdict(claim, none), "supported")
    bench.expect("the verdict if one has messages", verdict(claim, many), "contradicted")


def the_verdict_follows(bench: Bench) -> None:
    """What was measured is what we measure, and the word is what the rule makes of it."""
    claim, _ = claim_of(bench)
    judgement = judgement_of(bench)
    finding = tried(claim)
    for measure in finding.measures:
        came = judgement.measured.get(measure.name, float("nan"))
        bench.expect(f"the figure of {measure.name!r}", float(came), float(measure.value))
    bench.expect("the verdict", judgement.word, verdict(claim, finding))
