"""The debate: claims are whole, rules decide as they say, and experiments really break things."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import boot
from lab import bench
from lab.availability.course import Course, Kill
from lab.debate import (
    building,
    campaigns,
    conformance,
    costs,
    healing,
    houses,
    multitasking,
    reaching,
    tasks,
    waiting,
)
from lab.debate.claim import TRUST, Claim, Rule, claims, read, select
from lab.debate.evidence import Finding, Measure, Setting
from lab.debate.experiments import EXPERIMENTS, about, run
from lab.debate.page import page
from lab.debate.rule import check, condition, judge
from lab.debate.show import Case, as_text, tally
from lab.faults import trial
from lab.faults.judge import Outcome
from lab.faults.kinds import KINDS
from lab.figures import Interval, draw_intervals
from lab.measuring import Cost
from lab.placement import Cpus
from lab.refusal import Refusal
from lab.station import Job, Measured
from servers.clock import Clock
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.pipes import Pipes
from tests.lab.conftest import Cli
from twinos import operations

draw_intervals("", "", {"a": {"b": Interval(1, 1, 1)}}, label="")
"""Matplotlib keeps the files of its fonts open from the first drawing on."""

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
        assert bool(claim.judged) == bool(claim.rules), "a verdict says what it is on"
        for rule in claim.rules:
            check(claim)
            assert rule.says.endswith(".")
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


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((1.0, 0), "supported"),
        ((1.0, 1), "not shown"),
        ((1.0, 5), "contradicted"),
        ((2.0, 0), "contradicted"),
        ((2.0, 1), "contradicted"),
    ],
)
def test_all_rules_are_to_be_met(values: tuple[float, float], word: str) -> None:
    lost = Rule(measure="lost", supported="== 0", contradicted="> 3", says="lost")
    claim = a_claim(also=(lost,), judged="Of two rules.")
    ratio, files = values
    finding = Finding([Measure("ratio", ratio, exact=True), Measure("lost", files, exact=True)])
    case = Case(claim, finding, judge(claim, finding))
    assert case.verdict.word == word
    text = as_text(case, 100)
    assert "What is judged: Of two rules." in text
    assert text.count("Rule: Supported if") == 2
    assert "Of two rules." in page([case], "here")


def test_a_rule_may_only_leave_a_claim_open() -> None:
    needed = Rule(measure="down", supported="> 0", says="none")
    claim = a_claim(rule=needed)
    words = [judge(claim, Finding([Measure("down", n, exact=True)])).word for n in (0, 1)]
    assert words == ["not shown", "supported"]
    assert "contradicted" not in as_text(Case(claim, None, judge(claim, None)), 100)


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
        (MINE.partition("[rule]")[0] + '[[also]]\nmeasure = "x"', "missing required field"),
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


def test_killed_servers_answer_again_under_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "QUICK_KILLS", 1)
    found = values(healing.heals(SETTING, {}))
    killed = {name.partition(", ")[2] for name in found}
    assert killed >= {"FileSystem", "Disk", "MemoryManager", "ProcessManager", "Pipes", "Clock"}
    for service in killed:
        assert found[f"answers again, {service}"] == 1
        assert 0 < found[f"served, {service}"] <= 1
        assert found[f"repair, {service}"] > 0
    for survivor in ("FileSystem", "Disk", "ProcessManager"):
        assert found[f"lost, {survivor}"] == 0


def test_what_is_lost_is_noticed() -> None:
    needed = (FileSystem, MemoryManager, Pipes)
    with boot("monolithic", *needed) as system:
        files, pages, pipe = (tasks.TASKS[name](system) for name in ("files", "memory", "pipes"))
        for task in (files, pages, pipe):
            assert sum(task.ask() for _ in range(2 * tasks.THINGS)) == 0
        for number in range(tasks.THINGS):
            trial.put(system[FileSystem], f"/healing-{number}", b"other")
        assert sum(files.ask() for _ in range(tasks.THINGS)) == tasks.THINGS
        pages._space.munmap(pages._start, tasks.THINGS * 4096)  # type: ignore[attr-defined]
        assert pages.anew() == tasks.THINGS
        assert pages.ask() == 0
        assert pipe.anew() == 0
        pipe.ask()
        system[Pipes].read(pipe._reading, 100)  # type: ignore[attr-defined]
        assert pipe.ask() == 1


def test_a_crash_takes_along_who_shares_the_address_space() -> None:
    grouped = "hybrid:filesystem+disk"
    kernels = {"kernels": [grouped, "microkernel"], "victims": ["Disk"]}
    found = values(healing.crash(SETTING, kernels))
    assert found[f"taken along by Disk, {grouped}"] == 2
    assert found["taken along by Disk, microkernel"] == 1
    assert found[f"open files lost by Disk, {grouped}"] == 1
    assert found["open files lost by Disk, microkernel"] == 0


def test_what_services_reach_is_asked_of_running_systems() -> None:
    parameters = {"services": ["FileSystem", "Clock"]}
    found = values(reaching.reach(SETTING, parameters))
    sizes = [len(operations(one)) for one in (Clock, Disk, FileSystem)]
    assert found["reached monolithic"] == 2 * sum(sizes)
    assert 0 < found["reached microkernel"] <= sizes[1]
    assert found["share monolithic"] == 1
    assert found["reach ratio"] == found["reached monolithic"] / found["reached microkernel"]
    assert found["growth ratio"] > 1
    there = values(reaching.inventory(SETTING, {**parameters, "workload": "null"}))
    assert there["messages monolithic"] == 0
    assert there["messages microkernel"] == 2
    assert (there["address spaces monolithic"], there["address spaces microkernel"]) == (1, 3)
    assert there["processes microkernel"] > there["processes monolithic"] == 1
    assert there["reach of Clock, monolithic"] == sizes[1] + sizes[2]
    assert there["reach of Clock, microkernel"] == 0


def test_lines_and_operations_are_counted() -> None:
    lines = values(building.lines(SETTING, {}))
    assert lines["lines microkernel"] > lines["lines monolithic"] > 500
    core = values(building.trusted_core(SETTING, {"services": ["FileSystem"]}))
    assert core["lines ratio"] == core["lines monolithic"] / core["lines microkernel"]
    served = sum(len(operations(one)) for one in (Disk, FileSystem))
    assert core["operations monolithic"] == served
    assert core["operations microkernel"] > 10


def test_an_extension_is_built_in_both_kernels() -> None:
    known = claims()["easier"].parameters
    found = values(building.extensions(SETTING, known))
    assert found["files of a service, monolithic"] == found["files of a service, microkernel"] == 1
    for name in known["kernel"]:
        ours = found[f"lines of {name}, microkernel"] / found[f"lines of {name}, monolithic"]
        assert found[f"ratio of lines, {name}"] == ours > 0
    wrong = {"x": {"monolithic": ["kernels.mail:Nobody"], "microkernel": ["kernels.mail:_Late"]}}
    with pytest.raises(Refusal, match=r"there is no 'kernels\.mail:Nobody'"):
        building.extensions(SETTING, {"kernel": wrong})


SUITE = """
import pytest

@pytest.fixture(params=["host", "monolithic", "monolithic-process", "microkernel"])
def world(request):
    return request.param

@pytest.mark.parametrize("case", [1, 2])
def test_one(world, case):
    assert (world, case) != ("microkernel", 2)

def test_two(world):
    if world == "monolithic":
        pytest.skip("not here")

def test_three():
    pass
"""


def test_one_suite_runs_on_every_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "test_it.py").write_text(SUITE)
    monkeypatch.setattr(conformance, "ROOT", tmp_path)
    finding = run("conformance", SETTING, {"suite": "suite", "quick": ["test_it.py"]})
    assert values(finding) == {
        "tests": 3,
        "passed microkernel": 2,
        "passed monolithic": 2,
        "passed monolithic-process": 3,
        "share": pytest.approx(2 / 3),
    }
    assert "3 of 3" in finding.notes[0]
    assert run("conformance", SETTING, {"suite": "nowhere", "quick": []}).lacks


def test_requests_wait_before_a_slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "QUICK_REQUESTS", 8)
    found = values(waiting.queues(SETTING, {"clients": [4]}))
    assert found.keys() >= {"depth 4, monolithic", "depth 4, microkernel", "depth over 4"}
    lines = claims()["multithreaded"].parameters["lines"]
    finding = waiting.overlap(SETTING, {"clients": [1], "hits": [100], "lines": lines})
    found = values(finding)
    assert found["time at 100 %, 1 client"] > 0
    assert found["requests a second at 100 %, 1 client, overlapped"] > 0
    assert found["lines added"] > 20
    case = Case(a_claim(), finding, judge(a_claim(), finding))
    assert "Where overlapping wins" in page([case], "here")


def test_fewer_messages_beside_faster_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def dispatch(job: Job) -> Measured:
        factor = {"microkernel": 8, "microkernel@ring": 4, "hybrid:filesystem+disk": 6}[job.kernel]
        ns = {"load": 10.0, "batch-64": 20.0}
        costs = {name: Cost(ns=factor * ns.get(name, 100.0)) for name in job.workloads}
        return Measured(costs, 50.0, 8e3)

    monkeypatch.setattr(bench, "dispatch", dispatch)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    found = values(run("savings", SETTING, {"program": "varmail"}))
    assert found["kept by grouping"] == pytest.approx(0.75)
    assert found["fewer over faster, grouping"] == pytest.approx(1.5)
    assert found["fewer over faster, caching"] == pytest.approx(0.2)
    assert found["fewer over faster, batching"] == pytest.approx(0.4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert run("savings", SETTING, {"program": "varmail"}).lacks == "two processors"


def test_lines_of_code_are_lines_with_code() -> None:
    told = '"""Doc.\n\nMore.\n"""\n\n# comment\n'
    coded = 'x = 1  # one\n\n\ndef f():\n    """D."""\n    return (\n        x\n    )\n'
    assert building.count_code(told + coded) == 5


def test_costs_are_ratios_with_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    def dispatch(job: Job) -> Measured:
        cost = Cost(ns=2000.0 if job.kernel == "microkernel" else 1000.0, messages=2, requests=1)
        return Measured(dict.fromkeys(job.workloads, cost), 50.0, 8e3)

    monkeypatch.setattr(bench, "dispatch", dispatch)
    setting = Setting(quick=True, boots=6, seed=1, cpus=Cpus(CPU, CPU), unsteady=True)
    found = run("cost", setting, {"workloads": ["null"]})
    (ratio,) = (measure for measure in found.measures if measure.name.startswith("ratio"))
    assert (ratio.value, ratio.interval) == (2.0, (2.0, 2.0))
    found = run("cost", setting, {"workloads": ["null"], "prices": True})
    assert values(found)["paid null, microkernel"] == 0.5
    assert values(found)["affordable null, microkernel"] == pytest.approx(0.025)
    priced = values(costs.priced(setting, {"workloads": ["null"]}))
    above, below = priced["machines above, null"], priced["machines below, null"]
    assert above + below >= 3
    assert priced["verdict flips, null"] == bool(above and below)


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
        reaching.between(
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
