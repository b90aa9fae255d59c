"""The debate: claims are whole, rules decide as they say, and experiments really break things."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import bench
from lab.availability.course import Course, Kill
from lab.debate import campaigns, costs, houses, multitasking, structure
from lab.debate.claim import TRUST, Claim, Rule, claims, read, select
from lab.debate.evidence import Finding, Measure, Setting
from lab.debate.experiments import EXPERIMENTS, about, run
from lab.debate.page import page
from lab.debate.rule import condition, judge
from lab.debate.show import Case, as_text, tally
from lab.faults.judge import Outcome
from lab.faults.kinds import KINDS
from lab.measuring import Cost
from lab.placement import Cpus
from lab.refusal import Refusal
from lab.station import Job, Measured
from tests.lab.conftest import Cli

CPU = min(os.sched_getaffinity(0))
SETTING = Setting(quick=True, boots=1, seed=1, cpus=Cpus(CPU, CPU), unsteady=True)
RULE = Rule(measure="ratio", supported="<= 1.1", contradicted="> 1.1", says="more")
MINE = """
id = "mine"
title = "Mine"
who = "A reader"
when = "today"
claim = "A microkernel sends messages."
source = "me"
trust = "C"
test = "Count them."
experiment = "inventory"

[parameters]
workload = "null"

[rule]
measure = "messages microkernel"
supported = ">= 2"
contradicted = "< 2"
says = "Fewer than two."
"""


def a_claim(**changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "id": "x",
        "title": "x",
        "who": "x",
        "when": "x",
        "claim": "x",
        "source": "x",
        "trust": "A",
        "test": "x",
        "experiment": "cost",
        "rule": RULE,
    }
    return Claim(**{**fields, **changes})


def test_all_claims_are_there_and_whole() -> None:
    known = claims()
    assert len(known) == 24
    for claim in known.values():
        assert claim.trust in TRUST
        assert not claim.experiment or claim.experiment in EXPERIMENTS
        if claim.rule is not None:
            condition(claim.rule.supported)
            condition(claim.rule.contradicted)
            assert claim.rule.says.endswith(".")
    assert {claim.trust for claim in known.values()} == {"A", "B", "C"}
    assert sum(bool(claim.undecidable) for claim in known.values()) >= 1


@pytest.mark.parametrize(
    ("intervals", "word"),
    [
        ([(1.0, 1.05)], "supported"),
        ([(1.0, 1.1), (0.9, 1.0)], "supported"),
        ([(1.0, 1.2)], "not shown"),
        ([(1.0, 1.05), (1.05, 1.2)], "not shown"),
        ([(1.2, 1.3)], "contradicted"),
        ([(1.0, 1.05), (1.2, 1.3)], "contradicted"),
        ([None], "not shown"),
        ([], "not shown"),
    ],
)
def test_a_verdict_takes_the_whole_interval(intervals: list[Any], word: str) -> None:
    measures = [Measure(f"ratio {n}", 1.0, each) for n, each in enumerate(intervals)]
    other = Measure("messages", 9, exact=True)  # says nothing
    assert judge(a_claim(), Finding([*measures, other])).word == word


@given(st.floats(0.1, 10), st.floats(0, 5), st.floats(0.1, 10))
def test_no_measure_supports_and_contradicts(low: float, more: float, bound: float) -> None:
    bound = round(bound, 3)
    measure = Measure("ratio", low, (low, low + more))
    below, above = condition(f"<= {bound}"), condition(f"> {bound}")
    assert not (below(measure) and above(measure))
    assert below(measure) == (low + more <= bound)


def test_what_is_not_there_is_said() -> None:
    lacking = a_claim(experiment="", rule=None, needs="a slow disk")
    assert judge(lacking, None) == ("not shown", "needs a slow disk")
    undecidable = a_claim(experiment="", rule=None, undecidable="one thread")
    assert judge(undecidable, None).word == "not decidable on this host"
    assert judge(a_claim(), Finding(lacks="a ring")) == ("not shown", "needs a ring")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id =", "mine.toml is no claim: "),
        ('id = "x"', "mine.toml is no claim: Object missing required field `title`"),
        (MINE + '\nbogus = "x"', "mine.toml is no claim: Object contains unknown field `bogus`"),
        (MINE.replace('trust = "C"', 'trust = "D"'), "mine.toml is no claim: Invalid enum value"),
        (MINE.replace('experiment = "inventory"', ""), "mine.toml is no claim: a claim has "),
        (MINE.replace('">= 2"', '"about 2"'), "'about 2' is no condition; `<= 1.1` is one."),
        (MINE.replace('"inventory"', '"inventary"'), "did you mean 'inventory'?"),
        (MINE.replace("workload =", "work ="), "the experiment 'inventory' can't take "),
        (MINE.replace('"null"', '"nul"'), "there is no workload 'nul'; did you mean 'null'?"),
    ],
)
def test_a_claim_with_an_error_is_refused(
    text: str, sentence: str, inside: Cli, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(text)
    shown = inside("debate", "mine.toml")
    assert shown.returncode == 2, shown
    assert sentence in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_two_claims_of_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(MINE)
    with pytest.raises(Refusal, match="the id 'mine' of another claim"):
        claims(tmp_path)
    assert read(tmp_path / "a.toml").who == "A reader"
    with pytest.raises(Refusal, match="did you mean 'performance'"):
        select(claims(), ["performence"])


def test_a_reader_adds_one(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    shown = cli("debate", "mine.toml", "for-free", "--quick", "--html", "page.html")
    assert shown.returncode == 0, shown.stderr
    assert "Verdict: SUPPORTED" in shown.stdout
    assert "NOT DECIDABLE ON THIS HOST: Python runs one thread" in shown.stdout
    assert "supported: 1, not decidable on this host: 1." in shown.stdout
    assert "CHECK IT BEFORE YOU QUOTE IT" in shown.stdout
    text = (tmp_path / "page.html").read_text()
    assert text.count("Check it before you quote it") == 2
    assert "A microkernel sends messages." in text


def test_lists(inside: Cli) -> None:
    listed = inside("debate", "--list").stdout
    assert all(name in listed for name in claims())
    experiments = inside("debate", "--experiments").stdout
    assert all(f"\n{name}\n" in f"\n{experiments}" for name in EXPERIMENTS)
    assert all(about(name) for name in EXPERIMENTS)


def test_a_case_is_told_whole() -> None:
    claim = a_claim(trust="B", limits="Of all.")
    finding = Finding([Measure("ratio a", 2.0, (1.5, 2.5))], notes=["over one"])
    case = Case(claim, finding, judge(claim, finding))
    text = as_text(case, 100)
    for part in ("ratio a: 2.00 [1.50; 2.50]", "(over one)", "CONTRADICTED: > 1.1", "Of all."):
        assert part in text
    assert tally([case]) == "contradicted: 1"
    assert "Contradicted" in page([case], "here")


# Experiments


def values(finding: Finding) -> dict[str, float]:
    return {measure.name: measure.value for measure in finding.measures}


def test_a_bug_ends_one_kernel_and_one_server() -> None:
    found = values(houses.bug(SETTING, {}))
    assert found == {"survivors monolithic": 0, "survivors microkernel": 1}


def test_a_stray_pointer_reaches_all_of_an_address_space_and_no_more() -> None:
    found = values(houses.wild_write(SETTING, {}))
    assert found["files lost monolithic"] > 0.5
    assert found["bytes monolithic"] > 0
    assert found["files lost microkernel"] == 0
    assert found["bytes microkernel"] == 0


def test_killed_servers_answer_again() -> None:
    found = values(houses.kills(SETTING, {"kills": 2}))
    assert found["answer again"] == 1
    assert found["repair"] > 0


def test_the_structure_is_as_the_wiring_says() -> None:
    reach = values(structure.reach(SETTING, {}))
    assert 0 < reach["reach microkernel"] < 0.2 < reach["reach monolithic"] == 1
    lines = values(structure.lines(SETTING, {}))
    assert lines["lines microkernel"] > lines["lines monolithic"] > 500
    core = values(structure.trusted_core(SETTING, {}))
    assert core["lines monolithic"] > core["lines microkernel"]
    there = values(structure.inventory(SETTING, {"workload": "null"}))
    assert there["messages monolithic"] == 0
    assert there["messages microkernel"] == 2
    assert there["address spaces microkernel"] > there["address spaces monolithic"] == 1


def test_lines_of_code_are_lines_with_code(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    told = '"""Doc.\n\nMore.\n"""\n\n# comment\n'
    coded = 'x = 1  # one\n\n\ndef f():\n    """D."""\n    return (\n        x\n    )\n'
    path.write_text(told + coded)
    assert structure.code_lines(path) == 5


def test_costs_are_ratios_with_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    def dispatch(job: Job) -> Measured:
        cost = Cost(ns=2000.0 if job.kernel == "microkernel" else 1000.0, messages=2, requests=1)
        return Measured(dict.fromkeys(job.workloads, cost), 50.0, 8e3)

    monkeypatch.setattr(bench, "dispatch", dispatch)
    setting = Setting(quick=True, boots=6, seed=1, cpus=Cpus(CPU, CPU), unsteady=True)
    found = run("cost", setting, {"workloads": ["null"]})
    (ratio,) = (measure for measure in found.measures if measure.name.startswith("ratio"))
    assert (ratio.value, ratio.interval) == (2.0, (2.0, 2.0))
    priced = values(costs.priced(setting, {"workloads": ["null"]}))
    assert priced["machines above"] + priced["machines below"] >= 5
    assert priced["verdict flips"] == bool(priced["machines above"] and priced["machines below"])


def test_traced_shares_are_shares() -> None:
    found = costs.layers(SETTING, {"workloads": ["null"]}).measures
    shares = {measure.name: measure.value for measure in found}
    assert shares.keys() == {"layers null", "switching null"}
    assert all(0 < share < 1 for share in shares.values())
    assert all(measure.interval for measure in found), "as many boots as an interval takes"


def test_two_processors_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    found = run("cost", SETTING, {"workloads": ["null"], "placement": "two"})
    assert found.lacks == "two processors"


def test_workloads_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def dispatch(job: Job) -> Measured:
        ns = {"stat": 1000.0, "null": 500.0}
        return Measured({name: Cost(ns=ns[name]) for name in job.workloads}, 50.0, 8e3)

    monkeypatch.setattr(bench, "dispatch", dispatch)
    setting = Setting(quick=True, boots=6, seed=1, cpus=Cpus(CPU, CPU), unsteady=True)
    (measure,) = run("beside", setting, {"pairs": [["stat", "null"]]}).measures
    assert (measure.name, measure.value, measure.interval) == (
        "ratio null over stat",
        0.5,
        (0.5, 0.5),
    )


def test_shared_data_take_messages_where_address_spaces_are_split() -> None:
    together = "hybrid:filesystem+disk+memorymanager+swapdisk"
    found = values(
        structure.between(
            SETTING,
            {"workloads": ["cut-mapped", "cut-plain"], "kernels": [together, "microkernel"]},
        )
    )
    assert found["between cut-mapped, microkernel"] > 2
    assert found["between cut-plain, microkernel"] == 0
    assert found[f"between cut-mapped, {together}"] == 0
    assert found["asked cut-mapped"] > found["asked cut-plain"] == 3


def test_a_small_request_is_measured_beside_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multitasking, "QUICK_REQUESTS", 3)
    found = values(run("stalls", SETTING, {}))
    assert len(found) == len(multitasking.WAYS) * (1 + len(multitasking.JOBS))
    assert all(value > 0 for value in found.values())


def test_the_same_faults_are_counted_under_both_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "KINDS", {"exception": KINDS["exception"]})
    found = values(campaigns.faults(SETTING, {}))
    assert found["faults"] == 2, "one in each service"
    for kernel in campaigns.KERNELS:
        assert sum(found[f"{outcome} {kernel}"] for outcome in Outcome) == 2
    assert found["system down monolithic"] == 2
    assert found["system down microkernel"] == 0


def test_requests_served_are_set_against_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "QUICK_SECONDS", 1.5)
    found = values(run("availability", SETTING, {"kill_every": 0.5}))
    assert found["served"] > 0
    assert all(0 <= found[f"available {kernel}"] <= 1 for kernel in campaigns.KERNELS)
    assert found["files lost microkernel"] == 0


def test_the_break_even_is_where_both_serve_the_same() -> None:
    down = {"monolithic": 2.0, "microkernel": 0.1}
    rates = {"monolithic": 100, "microkernel": 50}
    courses = [
        Course(
            kernel=kernel,
            served=(rates[kernel],) * 10 + (0,) * round(10 * down[kernel]),
            kills=(Kill(1.0, "Disk", down[kernel]),),
            errors=0,
            wrong=0,
            lost=0,
            broken=0,
            boots=1,
        )
        for kernel in down
    ]
    every = campaigns.break_even(*courses)
    one, other = (
        rates[kernel] * (1 - down[kernel] / every) for kernel in ("monolithic", "microkernel")
    )
    assert one == pytest.approx(other)
    assert campaigns.break_even(courses[1], courses[0]) == float("inf")
