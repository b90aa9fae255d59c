"""How a comparison is made of boots; the boots themselves are made up here."""

import os
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from lab import bench
from lab.choice import parse
from lab.commands import bench as command
from lab.measuring import Cost
from lab.placement import Cpus
from lab.refusal import Failure
from lab.station import Job, Measured
from workloads.catalogue import catalogue, select

KERNELS = ("monolithic", "microkernel", "hybrid:filesystem+disk")
COST_US = dict(zip(KERNELS, (1.0, 10.0, 5.0), strict=True))


def plan(*names: str, boots: int = 6, seed: int = 1) -> bench.Plan:
    return bench.Plan(
        workloads=select(names),
        kernels=[parse(name) for name in KERNELS],
        boots=boots,
        seed=seed,
        placement="one",
        cpus=Cpus(0, 0),
        users="inline",
        quick=False,
        command="twinos bench",
    )


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that a comparison sends out, each of them done at once."""
    sent: list[Job] = []
    rng = random.Random(1)

    def dispatch(job: Job) -> Measured:
        sent.append(job)
        if job.mode == "count":
            cost = Cost(messages=2.0, bytes=10.0)
        else:
            cost = Cost(ns=1000 * COST_US[job.kernel] * rng.uniform(1, 1.1))
        return Measured(dict.fromkeys(job.workloads, cost), 50.0, 8000.0)

    monkeypatch.setattr(bench, "dispatch", dispatch)
    return sent


def test_workloads_of_the_same_needs_share_a_boot() -> None:
    known = catalogue()
    names = ["null", "tree-import", "stat", "load", "read-64m-by-4k", "write-64m-by-4k"]
    shared = bench.sessions(known[name] for name in names)
    assert [[one.name for one in session] for session in shared] == [
        ["null", "stat", "load"],
        ["tree-import"],
        ["read-64m-by-4k"],
        ["write-64m-by-4k"],
    ]


def test_counting_comes_first_and_then_rounds(jobs: list[Job]) -> None:
    bench.measure(plan("null", "load", "tree-import"))
    each = {(kernel, size) for kernel in KERNELS for size in (1, 2)}
    asked = [(job.kernel, len(job.workloads)) for job in jobs]
    assert {job.mode for job in jobs[:6]} == {"count"}
    assert {job.mode for job in jobs[6:]} == {"time"}
    assert set(asked[:6]) == each
    rounds = [asked[start : start + 6] for start in range(6, len(asked), 6)]
    assert len(rounds) == 6
    assert all(set(one) == each for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1, "rounds are shuffled"
    assert max(Counter(job.seed for job in jobs).values()) == 1


def test_a_seed_repeats_the_order(jobs: list[Job]) -> None:
    for seed in (7, 7, 8):
        bench.measure(plan("null", seed=seed))
    third = len(jobs) // 3
    assert jobs[:third] == jobs[third : 2 * third] != jobs[2 * third :]


def test_rows_and_ratios(jobs: list[Job]) -> None:
    run = bench.measure(plan("null", "load"))
    assert len(jobs) == 3 * (1 + 6)
    assert [(row.workload, row.kernel) for row in run.rows] == [
        (workload, kernel) for workload in ("null", "load") for kernel in KERNELS
    ]
    for row in run.rows:
        cost = COST_US[row.kernel]
        assert len(row.boots_us) == 6
        assert cost <= row.median_us <= 1.1 * cost
        assert row.ci95_us == (min(row.boots_us), max(row.boots_us))
        assert (row.messages_per_op, row.bytes_per_op) == (2.0, 10.0)
    assert {(ratio.kernel, ratio.over) for ratio in run.ratios} == {
        (kernel, "monolithic") for kernel in KERNELS[1:]
    }
    for ratio in run.ratios:
        assert ratio.ratio == pytest.approx(COST_US[ratio.kernel], rel=0.1)
        assert ratio.ci95 is not None
    assert run.floors.pipe_round_trip_us == 8.0
    assert [aim.over for aim in run.aims] == ["method call", "pipe round trip", "pipe round trip"]
    assert run.aims[0].ratio == pytest.approx(20, rel=0.1)


def test_without_the_null_workload_there_is_no_aim(jobs: list[Job]) -> None:
    assert bench.measure(plan("load")).aims == ()
    assert jobs


def test_a_failure_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def dispatch(_job: Job) -> Measured:
        raise Failure("monolithic kernel: null: OSError: no.")

    monkeypatch.setattr(bench, "dispatch", dispatch)
    with pytest.raises(Failure, match="null: OSError"):
        bench.measure(plan("null"))


def test_no_run_is_written_over(jobs: list[Job], tmp_path: Path) -> None:
    run = bench.measure(plan("null", boots=1))
    first = command.unused(tmp_path, run)
    first.touch()
    second = command.unused(tmp_path, run)
    second.touch()
    assert len({first, second, command.unused(tmp_path, run)}) == 3
    assert jobs


def test_runs_are_kept_in_the_checkout_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("twinos", "results", "docs/deep"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "docs" / "deep")
    assert command.runs_folder() == tmp_path / "results" / "runs"
    (tmp_path / "results").rmdir()
    assert command.runs_folder() == Path(os.getcwd()) / "results" / "runs"


def test_a_plan_is_all_that_a_job_needs() -> None:
    quick = replace(plan("null"), quick=True)
    session = bench.sessions(quick.workloads)[0]
    job = quick.job(quick.kernels[1], session, "time", 3)
    assert (job.kernel, job.mode, job.seed) == ("microkernel", "time", 3)
    assert job.budget_ns == bench.QUICK_BUDGET_NS
