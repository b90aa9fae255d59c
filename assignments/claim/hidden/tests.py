"""Hidden tests of a claim."""

from assignments.claim.contract import FEWEST, GROUPED, LEAST_SAID
from assignments.claim.court import claim_of, found, judgement_of, tried, verdict
from lab.debate.evidence import Finding
from lab.grading.bench import Bench


def it_is_tried_where_it_was_made(bench: Bench) -> None:
    """Under the grouping that the claim is about, and with all workloads judged."""
    claim, rule = claim_of(bench)
    bench.expect("the kernels", list(claim.parameters.get("kernels", [])), [GROUPED])
    judged = [m for m in tried(claim).measures if m.name.startswith(rule.measure)]
    between = [measure for measure in judged if measure.name.startswith("between ")]
    bench.true("the rule is about what is between", between == judged, repr(judged))
    bench.true(f"{FEWEST} at least are judged", len(judged) >= FEWEST, repr(judged))


def it_looks_where_it_could_fail(bench: Bench) -> None:
    """Not all operations on files are asked of the file system: some workload finds that out."""
    claim, _ = claim_of(bench)
    finding = tried(claim, [GROUPED])
    most = max(m.value for m in finding.measures if m.name.startswith("between "))
    bench.true("a workload with messages between services", most > 0, "none of them has any")
    bench.expect("the verdict", judgement_of(bench).word, "contradicted")


def the_rule_knows_a_kernel_of_which_it_is_true(bench: Bench) -> None:
    """Of one address space the claim is true; of one for each service it is not."""
    claim, _ = claim_of(bench)
    word = "supported" if bench.kernel == "monolithic" else "contradicted"
    finding = tried(claim, [bench.kernel])
    bench.expect(f"the verdict on the {bench.kernel} kernel", verdict(claim, finding), word)


def the_rule_is_for_any_findings(bench: Bench) -> None:
    """Drawn findings: one message is enough, wherever it is."""
    claim, _ = claim_of(bench)
    for _ in range(50):
        values = [bench.random.choice((0, 0, 0, 1, 2, 40)) for _ in range(4)]
        word = "contradicted" if any(values) else "supported"
        came = verdict(claim, Finding(found(*values)))
        bench.expect(f"the verdict if {values} are between", came, word)


def the_reason_is_given(bench: Bench) -> None:
    """The verdict says why, and what is left of the claim."""
    reason = judgement_of(bench).reason
    bench.true("the reason says something", len(reason) >= LEAST_SAID, repr(reason))
