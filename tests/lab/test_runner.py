"""How a run is made: what is counted, when it is refused, how many boots, and going on with it."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import boot
from lab import archive, bench, making, meter, pilot, schema, station, steadiness
from lab.choice import parse
from lab.dispatch import dispatch
from lab.journal import Header, Journal
from lab.measuring import Cost, account, account_once, running
from lab.placement import Cpus
from lab.refusal import Refusal
from lab.schema import Overhead
from lab.station import Job, Measured
from lab.stats import median_interval
from servers.clock import Clock
from tests.conftest import reap_orphans
from workloads.catalogue import catalogue, select

HEADER = Header(arguments=("null",), seed=1, host="h", commit=None, services_sha256="s")


def job(number: int) -> Job:
    return Job(
        kernel="microkernel",
        users="inline",
        cpus=Cpus(0, 1),
        mode="time",
        workloads={"null": {}, "fork-64": {"pages": 64}},
        seed=number,
    )


def measured(number: int) -> Measured:
    return Measured({"null": Cost(ns=number + 0.5)}, 1.0, 2.0, 3.0, 4.0)


@pytest.mark.parametrize("where", ["its modules", "nowhere"])
def test_a_station_finds_every_workload(where: str) -> None:
    known = catalogue()
    for session in bench.sessions(known.values()):
        made = plan().job(parse("monolithic"), session, "time", 1)
        made = made if where == "its modules" else msgspec.structs.replace(made, modules=())
        found = station._chosen(made)
        assert {one.name for one in found} == {one.name for one in session}


# Counters


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_the_users_requests_are_counted_and_no_others(kernel: str) -> None:
    cpu = min(os.sched_getaffinity(0))
    cpus, options = Cpus(cpu, cpu), {"size": 5000}
    counting = Job(
        kernel=kernel, users="inline", cpus=cpus, mode="count", workloads={"create-10k": options}
    )
    cost = dispatch(counting).costs["create-10k"]
    assert cost.requests == 4, "open, write, close, unlink; what the file system asks is no user's"
    assert cost.messages == (8 if kernel == "microkernel" else 0)


def test_every_process_is_metered() -> None:
    null = catalogue()["null"]
    before = meter.descendants(os.getpid())
    with boot("microkernel", Clock) as system, running(null, system) as operation:
        operation.call()
        pids = meter.descendants(os.getpid(), without=before)
        assert len(pids) == 2, "the nucleus and the server"
        cost = account(operation, pids, call_ns=10_000)
        alone = account(operation, [], call_ns=10_000)
        once = account_once(operation, pids)
        assert meter.memory_kib(pids) > meter.memory_kib([]) > 1000
    assert cost.cpu_ns > alone.cpu_ns > 0
    assert cost.switches >= 0.5, "both ends switch, unless they have a processor each and spin"
    assert once.ns > 0


def test_an_operation_with_a_reset_is_metered_without_it() -> None:
    one = catalogue()["fault-zero"]
    with boot("monolithic", *one.services) as system, running(one, system) as operation:
        assert 0 < account(operation, [], 1.0).cpu_ns < 1e6
        operation.call()


def test_who_has_ended_is_no_error() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert meter.usage([gone.pid]).cpu_ns > 0
    assert meter.memory_kib([gone.pid]) > 0


def test_a_row_has_its_counters() -> None:
    def carry_out(one: Job) -> Measured:
        cost = Cost(ns=1000.0, messages=2.0, requests=1.0, cpu_ns=2000.0, switches=3.0)
        costs = dict.fromkeys(one.workloads, cost)
        return Measured(costs, 50.0, 8000.0, boot_ns=5e6, memory_kib=2048.0)

    run = bench.measure(plan(), carry_out)
    row = run.rows[0]
    assert (row.requests_per_op, row.cpu_us, row.switches_per_op) == (1.0, 2.0, 3.0)
    assert (row.memory_kib, row.boot_ms, len(row.cpu_boots_us)) == (2048.0, 5.0, 6)
    assert run.overhead is not None
    assert run.overhead.loop_us > 0


# Steadiness


def test_measuring_nothing_costs_something() -> None:
    before = os.sched_getaffinity(0)
    found = steadiness.measure(min(before))
    assert os.sched_getaffinity(0) == before
    assert 0 < found.loop_us < 100
    assert 0 < found.clock_us < 100
    assert found.spread >= 1


@pytest.mark.parametrize(("spread", "refused"), [(1.2, False), (steadiness.LIMIT * 1.01, True)])
def test_an_unsteady_host_is_refused(
    spread: float, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Overhead(clock_us=0.1, loop_us=1, loop_batches_us=(1.0, spread), spread=spread)
    tried = []
    monkeypatch.setattr(steadiness, "_attempt", lambda: tried.append(1) or attempt)
    found = steadiness.measure(min(os.sched_getaffinity(0)))
    assert len(tried) == (steadiness.ATTEMPTS if refused else 1)
    if refused:
        with pytest.raises(Refusal, match="this host is too unsteady"):
            steadiness.check(found)
    else:
        steadiness.check(found)


# The pilot


@given(st.lists(st.lists(st.floats(0.5, 2), min_size=5, max_size=5), max_size=9))
def test_a_pilot_asks_for_more_where_ratios_vary_more(ratios: list[list[float]]) -> None:
    needed = [pilot.rounds_for(ratios, precision) for precision in (0.2, 0.05, 0.01)]
    assert needed == sorted(needed)
    assert needed[0] >= 6
    assert needed[-1] <= pilot.MOST


def test_a_pilot_chooses_what_gives_the_wanted_width() -> None:
    lots = random.Random(1992)
    widths = []
    for _ in range(200):
        boots = pilot.rounds_for([[lots.gauss(3, 0.15) for _ in range(50)]], 0.03)
        interval = median_interval([lots.gauss(3, 0.15) for _ in range(boots)])
        assert interval is not None
        widths.append((interval[1] - interval[0]) / 2 / 3)
    assert 0.02 < median(widths) < 0.05


def plan(precision: float | None = None) -> bench.Plan:
    return bench.Plan(
        workloads=select(["null"]),
        kernels=[parse("monolithic"), parse("microkernel")],
        boots=6,
        seed=1,
        placement="one",
        cpus=Cpus(0, 0),
        users="inline",
        quick=True,
        command="twinos bench",
        precision=precision,
    )


def test_the_boots_of_a_pilot_are_not_reported() -> None:
    jobs: list[Job] = []

    def carry_out(one: Job) -> Measured:
        jobs.append(one)
        lots = random.Random(one.seed)
        return Measured(dict.fromkeys(one.workloads, Cost(ns=lots.uniform(90, 110))), 50.0, 8e3)

    run = bench.measure(plan(precision=0.05), carry_out)
    assert run.pilot is not None
    assert run.environment.boots == run.pilot.boots > 6
    assert len(jobs) == 2 * (1 + pilot.ROUNDS + run.pilot.boots)
    assert all(len(row.boots_us) == run.pilot.boots for row in run.rows)
    assert len({one.seed for one in jobs}) == len(jobs)


# The journal


def test_a_journal_gives_back_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def dispatch(one: Job) -> Measured:
        made.append(one)
        return measured(one.seed)

    monkeypatch.setattr("lab.journal.dispatch", dispatch)
    path = tmp_path / "new" / "x.part"
    first = Journal(path, HEADER)
    assert [first.measure(job(n)) for n in range(3)] == [measured(n) for n in range(3)]
    with path.open("ab") as file:
        file.write(b'{"job": torn')
    second = Journal.open(path)
    assert second.header == HEADER
    assert [second.measure(job(n)) for n in range(5)] == [measured(n) for n in range(5)]
    assert made == [job(n) for n in range(5)]
    third = Journal.open(path)
    assert third.done == 5
    with pytest.raises(Refusal, match="has other boots"):
        third.measure(job(9))
    third.remove()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\xff\n", b'{"schema":"twinos/run/2"}\n'])
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.part"
    path.write_bytes(content)
    with pytest.raises(Refusal, match="is no journal"):
        Journal.open(path)
    with pytest.raises(Refusal, match="No such file"):
        Journal.open(tmp_path / "missing")


@pytest.mark.parametrize("field", ["host", "commit", "services_sha256"])
def test_a_journal_of_elsewhere_is_refused(field: str) -> None:
    here = archive.header(["null"], 1)
    archive.check_header(here, Path("x"))
    with pytest.raises(Refusal, match="x can't be gone on with: it was begun with another "):
        archive.check_header(msgspec.structs.replace(here, **{field: "other"}), Path("x"))


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """The journal of a `twinos bench` that was killed after some boots."""
    command = [sys.executable, "-m", "lab", "bench", "null", "--quick", "--boots", "3"]
    with subprocess.Popen(
        [*command, "--seed", "5"], cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not (found := list(tmp_path.rglob("*.part"))) and process.poll() is None:
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGKILL)
    reap_orphans()
    return found[0]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_a_killed_run_is_gone_on_with(interrupted: Path, tmp_path: Path) -> None:
    known = interrupted.read_bytes().splitlines()[1:]
    done = subprocess.run(
        [sys.executable, "-m", "lab", "bench", "--resume", str(interrupted)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "µs" in done.stdout
    assert not interrupted.exists()
    (saved,) = tmp_path.rglob("*.json")
    run = schema.load(saved)
    assert run.environment.seed == 5
    assert run.environment.command == "twinos bench null --quick --boots 3 --seed 5"
    times = [
        json.loads(line)["measured"]["costs"]["null"]["ns"] / 1000
        for line in known
        if json.loads(line)["job"]["mode"] == "time"
    ]
    assert set(times) <= {us for row in run.rows for us in row.boots_us}


def test_a_refusal_after_some_boots_leaves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lab.journal.dispatch", lambda one: measured(one.seed))

    def measure(plan: bench.Plan, carry_out: bench.CarryOut) -> None:
        if plan.seed:
            raise Refusal("this host is too unsteady")
        carry_out(job(0))

    monkeypatch.setattr(bench, "measure", measure)
    plans = [seeded(seed) for seed in (0, 1)]
    journal = Journal(tmp_path / "x.part", HEADER)
    with pytest.raises(Refusal):
        making.make(plans, journal, "report")
    assert journal.path.exists()
    told = capsys.readouterr().err
    assert "Run 2 of 2" in told
    assert "To go on: twinos report --resume " in told


def seeded(seed: int) -> bench.Plan:
    """A plan with that seed."""
    return dataclasses.replace(plan(), seed=seed)
