"""Measuring one workload in one boot."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from kernels import boot
from lab import dispatch, environment, floors, measuring, placement, timing
from lab.measuring import Cost, running
from lab.placement import Cpus
from lab.refusal import Failure, Refusal
from lab.station import Job, Mode
from servers.clock import Clock
from tests.tree import ROOT
from workloads.workload import Operation, Program, Workload, WrongResultError, equals

KERNELS = ("monolithic", "microkernel")


@pytest.fixture
def cpus() -> Iterator[Cpus]:
    before = os.sched_getaffinity(0)
    yield placement.choose("one")
    os.sched_setaffinity(0, before)


def job(kernel: str, mode: Mode, *names: str, budget_ns: int = 0) -> Job:
    return Job(
        kernel=kernel,
        users="inline",
        cpus=placement.choose("one"),
        mode=mode,
        workloads={name: {} for name in names},
        budget_ns=budget_ns,
    )


def test_slices_take_turns() -> None:
    turns: list[str] = []
    a, b = timing.time_calls([lambda: turns.append("a"), lambda: turns.append("b")], 1)
    assert a > 0
    assert b > 0
    last = "".join(turns).rindex("ab")  # the end of a slice of one, the beginning of the other's
    assert last > 0
    assert "ba" in "".join(turns)


def test_a_slice_is_long_enough_for_the_timer() -> None:
    count = timing.calibrate(floors.method_call())
    assert count > 1
    assert timing.time_slice(floors.method_call(), count) > 0


def test_a_long_call_is_called_a_few_times_only() -> None:
    calls = 0

    def long() -> None:
        nonlocal calls
        calls += 1
        sum(range(200_000))

    timing.time_calls([long], 1)
    assert calls < 20


def test_reset_follows_each_call() -> None:
    order: list[str] = []
    timing.time_with_reset(lambda: order.append("call"), lambda: order.append("reset"), 1)
    assert order == ["call", "reset"] * (len(order) // 2)
    assert len(order) > 2 * timing.MIN_SLICES


def test_floors(cpus: Cpus) -> None:
    with floors.pipe_round_trip(cpus) as round_trip:
        assert round_trip() == floors.PAYLOAD
        call_ns, trip_ns = timing.time_calls((floors.method_call(), round_trip), 1_000_000)
    assert 0 < call_ns < trip_ns


def test_the_other_end_of_the_pipe_is_gone_afterwards(cpus: Cpus) -> None:
    with floors.pipe_round_trip(cpus) as round_trip:
        round_trip()
        before = len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) == before - 2


@pytest.mark.parametrize(("kernel", "messages"), [("monolithic", 0), ("microkernel", 2)])
def test_a_null_call_is_a_request_and_a_reply(kernel: str, messages: int) -> None:
    first, second = (dispatch.dispatch(job(kernel, "count", "null")) for _ in range(2))
    assert first == second
    assert first.costs["null"].messages == messages
    assert bool(first.costs["null"].bytes) == bool(messages)


@pytest.mark.parametrize("kernel", KERNELS)
def test_times_and_floors_are_positive(kernel: str) -> None:
    measured = dispatch.dispatch(job(kernel, "time", "null", budget_ns=1_000_000))
    assert measured.costs["null"].ns > 0
    assert 0 < measured.method_call_ns < measured.pipe_round_trip_ns


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_two_processors() -> None:
    two = replace(job("microkernel", "once", "null"), cpus=placement.choose("two"))
    assert two.cpus.user != two.cpus.server
    assert dispatch.dispatch(two).costs["null"].ns > 0


def test_floors_without_the_null_workload() -> None:
    measured = dispatch.dispatch(job("monolithic", "time", "load", budget_ns=1_000_000))
    assert measured.method_call_ns > 0
    assert measured.pipe_round_trip_ns > 0


def program(operation: Operation, after: list[str]) -> Workload:
    def run(clock: Clock) -> Program:  # noqa: ARG001  # a workload that needs a service
        yield operation
        after.append("cleaned up")

    return Workload("probe", "probes", run, {}, (Clock,))


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_operation_is_counted_and_checked(kernel: str) -> None:
    after: list[str] = []
    checked: list[int] = []
    with boot(kernel, Clock, count=True) as system:
        null = system[Clock].null

        def two() -> int:
            null()
            null()
            return 2

        with running(program(Operation(two, checked.append, ops=2), after), system) as operation:
            cost = measuring.count(operation, system, 3)
    assert cost == Cost(messages=2 * (kernel == "microkernel"), bytes=cost.bytes)
    assert checked == [2] * 4
    assert after == ["cleaned up"]


def test_a_wrong_result_ends_the_run() -> None:
    answers = iter([1] * 3)
    operation = Operation(lambda: next(answers, 2), equals(1))
    with (
        boot("monolithic", Clock) as system,
        pytest.raises(Failure, match="expected 1, got 2"),
        running(program(operation, []), system) as probe,
    ):
        measuring.time_beside(probe, (), 0)


def test_a_failing_operation_ends_the_run() -> None:
    def fail() -> None:
        raise OSError(28, os.strerror(28))

    failing = program(Operation(fail), [])
    with (
        boot("monolithic", Clock) as system,
        pytest.raises(Failure, match=r"probe: OSError: .*No space left"),
        running(failing, system) as operation,
    ):
        measuring.time_once(operation)


def test_wrong_results_are_told_briefly() -> None:
    with pytest.raises(WrongResultError) as told:
        equals(b"x" * 10_000)(b"y" * 10_000)
    assert len(str(told.value)) < 200


def test_a_system_that_does_not_boot_is_refused() -> None:
    hybrid = job("hybrid:filesystem+memorymanager", "once", "null")
    assert dispatch.dispatch(hybrid).costs  # the rest of that hybrid is not in this system
    with pytest.raises(Refusal, match="no kernel 'exokernel'"):
        dispatch.dispatch(job("exokernel", "once", "null"))


def test_a_station_that_dies_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shot = tmp_path / "python"
    shot.write_text("#!/bin/sh\ncat >/dev/null\nkill -9 $$\n")
    shot.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(shot))
    with pytest.raises(Failure, match=f"ended with status -{signal.SIGKILL.value}"):
        dispatch.dispatch(job("monolithic", "once", "null"))


def test_the_environment_names_what_a_reader_needs() -> None:
    setting = environment.Setting("one", Cpus(1, 1), 7, 6, False, "twinos bench")
    described = environment.describe(setting, (0.0, 0.0, 0.0))
    assert described.cpu_model
    assert described.python.endswith(".".join(map(str, sys.version_info[:3])))
    assert set(described.packages) == {"msgspec", "tabulate", "tqdm"}
    assert len(described.services_sha256) == 64
    assert described.affinity == tuple(sorted(os.sched_getaffinity(0)))


def test_a_station_whose_job_was_cut_short_says_nothing() -> None:
    """Whoever asks was interrupted meanwhile, and says so."""
    command = [sys.executable, "-P", "-m", "lab.station", str(os.getpid())]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for asked in (b"", b'{"kernel": "mono'):
        done = subprocess.run(command, input=asked, env=env, capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (143, b"", b"")
