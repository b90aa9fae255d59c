"""Where the time goes: the parts add up, the stamps are counted, and others count the same."""

import os
import subprocess
import sys

import pytest

from kernels import boot, probe
from kernels.probe import Place
from lab import host_counts
from lab.decompose import PARTS, Trace, copy_prices
from lab.dispatch import dispatch
from lab.measuring import COUNTED_CALLS
from lab.placement import Cpus
from lab.station import Job
from servers.clock import Clock
from tests.lab.runs import made_up

WORKLOADS = {"null": {}, "stat": {"depth": 1}, "create-1k": {"size": 1024}}


def traced(kernel: str) -> dict[str, Trace]:
    cpu = min(os.sched_getaffinity(0))
    job = Job(
        kernel=kernel,
        users="inline",
        cpus=Cpus(cpu, cpu),
        mode="trace",
        workloads=WORKLOADS,  # type: ignore[arg-type]  # mypy finds no common type of the values
    )
    return dispatch(job).traces


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel", "hybrid:filesystem+disk"])
def test_the_parts_add_up_to_the_time_without_the_stamps(kernel: str) -> None:
    found = traced(kernel)
    assert found.keys() == WORKLOADS.keys()
    for trace in found.values():
        total = sum(trace.parts.values()) + trace.stamps * trace.stamp_ns
        assert total == pytest.approx(trace.traced_ns, rel=1e-6)
        assert set(trace.parts) == set(PARTS) - {"copying"}


def test_every_message_is_stamped() -> None:
    messages = {"monolithic": (0, 0, 0), "microkernel": (2, 2, 8)}
    for kernel, wanted in messages.items():
        found = traced(kernel)
        assert tuple(found[name].messages for name in WORKLOADS) == wanted
        assert (found["null"].parts["switching"] > 0) == bool(wanted[0])
        assert found["create-1k"].parts["service"] > found["null"].parts["service"]
    assert COUNTED_CALLS


def test_nobody_pays_who_is_not_watched() -> None:
    def function() -> None: ...

    assert probe.around(Place.CALL, Place.RETURN, function) is function
    assert probe.binder(Clock) is Clock  # type: ignore[arg-type, comparison-overlap]  # anything
    with boot("monolithic", Clock) as system:
        before = system[Clock].null
    probe.begin()
    try:
        assert probe.around(Place.CALL, Place.RETURN, function) is not function
    finally:
        probe.end()
    assert before.__name__ == "null"


def test_stamps_are_counted_by_process() -> None:
    program = """
import os
from kernels import probe
from kernels.probe import Place
probe.begin()
stamped = probe.around(Place.CALL, Place.RETURN, int)
stamped("1")
pid = os.fork()
if not pid:
    stamped("2"); stamped("3"); os._exit(0)
os.waitpid(pid, 0)
own, others = probe.own(), probe.others()
print(own[Place.CALL].number, others[Place.CALL].number, own[Place.RETURN].ns >= own[Place.CALL].ns)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "2", "True"]


def test_copying_has_a_price() -> None:
    prices = copy_prices()
    assert 0 <= prices.pipe < 100
    assert 0 < prices.store < 100


def test_a_run_keeps_what_traced_boots_say() -> None:
    run = made_up(traces=3)
    assert len(run.decompositions) == len(run.rows)
    for one, row in zip(run.decompositions, run.rows, strict=True):
        assert (one.workload, one.kernel, one.boots) == (row.workload, row.kernel, 3)
        assert list(one.parts_us) == list(PARTS)
        assert one.untraced_us == row.median_us
        assert one.parts_us["copying"] == pytest.approx(row.bytes_per_op * 0.05 / 1000)
    assert made_up().decompositions == ()


def test_what_several_do_at_once_is_not_traced() -> None:
    run = made_up(["null", "aim-2"], traces=1)
    assert {one.workload for one in run.decompositions} == {"null"}


def test_the_hosts_own_count_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message is one write and one read, and one switch, on one processor."""
    if reason := host_counts.missing():
        pytest.skip(reason)
    monkeypatch.setattr(host_counts, "CALLS", (10, 90))
    cpu = min(os.sched_getaffinity(0))
    job = Job(kernel="", users="inline", cpus=Cpus(cpu, cpu), mode="repeat", workloads={})
    rows = [row for row in made_up(["null", "create-1k"]).rows if row.kernel == "microkernel"]
    try:
        null, create = list(host_counts.count(rows, job))
    except Exception as error:  # noqa: BLE001 (where tracing is forbidden)
        pytest.skip(f"strace can't trace here: {error}")
    assert null.calls_per_op["write"] == pytest.approx(2, abs=0.5)
    assert null.calls_per_op["read"] == pytest.approx(2, abs=0.5)
    assert create.calls_per_op["write"] == pytest.approx(8, abs=1)
    assert 7 < create.calls_per_op["read"] < 13, "a long one after a short one takes two"


def test_a_summary_of_strace_is_read() -> None:
    summary = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000010           1       102           read
 40.00    0.000001           0         8         2 openat
------ ----------- ----------- --------- --------- ----------------
100.00    0.000011                   110         2 total
"""
    assert host_counts.read(summary) == {"read": 102, "openat": 8}
