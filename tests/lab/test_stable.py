"""What survivability costs: `twinos bench --stable`."""

import pytest

from lab import bench
from lab.aims.stability import standing
from lab.choice import parse, survivors
from lab.measuring import Cost
from lab.placement import Cpus
from lab.refusal import Refusal
from lab.station import Job, Measured
from servers.filesystem import FileSystem
from tests.lab.runs import made_up
from workloads.catalogue import select


def test_kernels_that_keep_nothing_have_a_name_of_their_own() -> None:
    names = ["monolithic", "microkernel@ring"]
    assert survivors(names, None) == survivors(names, "on") == names
    assert survivors(names, "off") == ["monolithic", "microkernel@ring!unstable"]
    assert survivors(["microkernel"], "both") == ["microkernel!unstable", "microkernel"]
    with pytest.raises(Refusal, match="whose services may survive"):
        survivors(["monolithic"], "both")
    assert parse("microkernel@ring!unstable").carrier == "ring"
    assert not parse("microkernel!unstable").stable


def test_they_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def noted(*arguments: object, **options: object) -> None:
        asked.append((arguments[0], options["stable"]))

    monkeypatch.setattr("lab.choice.boot", noted)
    for name in ("microkernel!unstable", "microkernel"):
        parse(name).boot((FileSystem,), {}, "inline", Cpus(0, 0), count=False)
    assert asked == [("microkernel", False), ("microkernel", True)]


def test_the_aim_is_missed_only_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    dear = {"pwrite-4k": 1.5}

    def dispatch(job: Job) -> Measured:
        factors = dear if job.kernel == "microkernel" else {}
        costs = {name: Cost(ns=1000 * factors.get(name, 1.0)) for name in job.workloads}
        return Measured(costs, 50.0, 8000.0)

    monkeypatch.setattr(bench, "dispatch", dispatch)
    plan = bench.Plan(
        workloads=select(["stat", "pwrite-4k"]),
        kernels=[parse(name) for name in survivors(["microkernel"], "both")],
        boots=6,
        seed=1,
        placement="one",
        cpus=Cpus(0, 0),
        users="inline",
        quick=False,
        command="twinos bench --stable both",
    )
    lines = standing(bench.measure(plan)).splitlines()
    (missed,) = [line for line in lines if "missed" in line]
    assert missed.split()[:2] == ["pwrite-4k", "1.50"]
    assert any(line.startswith("stat") for line in lines)
    assert not standing(made_up(("stat",)))
