"""Scheduling policies, on a simulated processor."""

import random
from collections import Counter, deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.scheduling import Policy, Task, policies
from kernels.scheduling.fair_share import FairShare
from kernels.scheduling.first_come import FirstCome
from kernels.scheduling.lottery import Lottery
from kernels.scheduling.priorities import Priorities
from kernels.scheduling.round_robin import RoundRobin
from lab.scheduling import WORKLOADS, Ask, Outcome, Program, Run, Simulator, Step, Wait, inversion

ALL = list(policies().values())

_ticks = st.integers(1, 6)
_steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(Run, _ticks),
    st.builds(Wait, _ticks),
    st.builds(Ask, st.sampled_from(["S", "T"]), _ticks),
)


@st.composite
def _programs(draw: st.DrawFn) -> list[Program]:
    return [
        Program(
            name,
            draw(st.integers(0, 9)),
            tuple(draw(st.lists(_steps, min_size=1, max_size=4))),
            draw(st.integers(-5, 5)),
            draw(st.sampled_from(["ada", "bob"])),
            draw(st.integers(1, 5)),
        )
        for name in "ABCDE"[: draw(st.integers(1, 5))]
    ]


def simulate(policy: type[Policy], programs: Sequence[Program], quantum: int = 2) -> Outcome:
    return Simulator(policy(quantum, 7), programs).run()


def work(programs: Sequence[Program]) -> Counter[str]:
    """Ticks of the processor that each task and server needs."""
    wanted: Counter[str] = Counter()
    for program in programs:
        for step in program.steps:
            if isinstance(step, Run):
                wanted[program.name] += step.ticks
            elif isinstance(step, Ask):
                wanted[step.server] += step.ticks
    return wanted


def test_there_are_five() -> None:
    assert list(policies()) == ["fair", "fcfs", "lottery", "priority", "rr"]


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
@given(programs=_programs(), quantum=st.integers(1, 4))
def test_everybody_gets_what_it_needs_and_times_add_up(
    policy: type[Policy], programs: list[Program], quantum: int
) -> None:
    outcome = simulate(policy, programs, quantum)
    had = Counter(name for name in outcome.chart if name)
    assert had == work(programs)
    for program, times in zip(programs, outcome.times, strict=True):
        assert times.turnaround == times.cpu + times.wait + times.blocked
        assert times.cpu == had[program.name]
        least = sum(step.ticks for step in program.steps)
        assert times.turnaround >= least
        assert times.wait <= len(outcome.chart) - times.cpu


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
@given(st.lists(_ticks, min_size=1, max_size=6))
def test_the_processor_never_rests_while_somebody_is_ready(
    policy: type[Policy], bursts: list[int]
) -> None:
    programs = [Program(str(n), 0, (Run(ticks),)) for n, ticks in enumerate(bursts)]
    outcome = simulate(policy, programs)
    assert len(outcome.chart) == sum(bursts)
    assert all(outcome.chart)


@given(st.lists(st.tuples(st.integers(0, 5), _ticks), min_size=1, max_size=6))
def test_first_come_is_first_served(asked: list[tuple[int, int]]) -> None:
    """Against the formula: each begins when the one before it has ended, or it comes."""
    programs, arrival, free, starts = [], 0, 0, []
    for number, (pause, ticks) in enumerate(asked):
        arrival += pause
        programs.append(Program(str(number), arrival, (Run(ticks),)))
        starts.append(max(arrival, free))
        free = starts[-1] + ticks
    outcome = simulate(FirstCome, programs)
    assert [
        times.response + p.arrival for p, times in zip(programs, outcome.times, strict=True)
    ] == (starts)


@given(st.lists(_ticks, min_size=1, max_size=6), st.integers(1, 4))
def test_round_robin_goes_round(bursts: list[int], quantum: int) -> None:
    """Against a queue that is turned by hand."""
    queue = deque((str(number), ticks) for number, ticks in enumerate(bursts))
    wanted: list[str] = []
    while queue:
        name, left = queue.popleft()
        turn = min(left, quantum)
        wanted += [name] * turn
        if left > turn:
            queue.append((name, left - turn))
    programs = [Program(str(n), 0, (Run(ticks),)) for n, ticks in enumerate(bursts)]
    assert list(simulate(RoundRobin, programs, quantum).chart) == wanted


def test_the_urgent_run_at_once_and_age_saves_the_others() -> None:
    urgent = [Program(f"U{n}", 3 * n, (Run(3),), 0) for n in range(200)]
    outcome = simulate(Priorities, [Program("L", 0, (Run(2),), 5), *urgent])
    assert outcome.chart[0] == "U0"
    low = outcome.times[0]
    assert 100 <= low.turnaround < 300, "twice five steps of ageing, and not for ever"
    never = type("Never", (Priorities,), {"name": "never", "AGE": 1e9})
    assert Simulator(never(), [Program("L", 0, (Run(2),), 5), *urgent]).run().times[0].wait >= 598


def test_a_more_urgent_one_takes_the_processor() -> None:
    outcome = simulate(Priorities, [Program("L", 0, (Run(5),), 9), Program("H", 2, (Run(2),), 0)])
    assert outcome.chart == ("L", "L", "H", "H", "L", "L", "L")


@given(st.integers(1, 5), st.integers(1, 4))
def test_users_share_fairly_however_many_tasks_they_have(others: int, quantum: int) -> None:
    bob = [Program(f"B{n}", 0, (Run(40),), 0, "bob") for n in range(others)]
    outcome = simulate(FairShare, [Program("A", 0, (Run(40),), 0, "ada"), *bob], quantum)
    for end in range(1, 81):
        had = Counter(name[0] for name in outcome.chart[:end])
        assert abs(had["A"] - had["B"]) <= quantum


def test_who_was_away_has_saved_nothing() -> None:
    late = Program("A", 50, (Run(30),), 0, "ada")
    outcome = simulate(FairShare, [Program("B", 0, (Run(100),), 0, "bob"), late])
    had = Counter(outcome.chart[50:90])
    assert abs(had["A"] - had["B"]) <= 4


def test_more_tickets_win_more_often() -> None:
    tasks = [Program("A", 0, (Run(3000),), tickets=3), Program("B", 0, (Run(3000),), tickets=1)]
    had = Counter(simulate(Lottery, tasks, 1).chart[:3000])
    assert 0.70 < had["A"] / 3000 < 0.80
    again = Counter(simulate(Lottery, tasks, 1).chart[:3000])
    assert had == again, "the seed repeats it"


@pytest.mark.parametrize("seed", range(5))
def test_priorities_are_inverted_without_inheritance_and_not_with_it(seed: int) -> None:
    """H waits for a server that serves L; M, in the middle, must not keep both waiting."""
    programs = list(inversion(random.Random(seed)))
    medium = programs[1].steps[0].ticks

    def turnaround(*, inherit: bool) -> dict[str, int]:
        times = Simulator(Priorities(100), programs, inherit=inherit).run().times
        return {each.name: each.turnaround for each in times}

    without, with_it = turnaround(inherit=False), turnaround(inherit=True)
    own = sum(step.ticks for step in programs[2].steps)
    server = programs[0].steps[1].ticks
    assert without["H"] >= medium, "it waits for all that M does"
    assert without["H"] > without["M"]
    assert with_it["H"] <= own + server, "it waits for the server alone"
    assert with_it["H"] < with_it["M"]


def test_what_is_lent_is_given_back() -> None:
    task = Task("T", 5)
    with task.lending(0):
        with task.lending(3):
            assert task.urgency == 0
        assert task.urgency == 0
    assert task.urgency == 5


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_workloads_end_and_repeat(policy: type[Policy], name: str) -> None:
    first, second = (simulate(policy, list(WORKLOADS[name](random.Random(3)))) for _ in range(2))
    assert first == second
    assert min(times.turnaround for times in first.times) > 0
