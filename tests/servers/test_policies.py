"""Page replacement: against what the theory says of each policy, on any reference string."""

import random
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.paging import faults, steps
from lab.references import BELADY, PATTERNS
from servers.memory import policies as package
from servers.memory.policies import Policy, policies
from servers.memory.policies.ageing import Ageing
from servers.memory.policies.clock import Clock
from servers.memory.policies.fifo import FIFO
from servers.memory.policies.lottery import Random
from servers.memory.policies.optimal import Optimal
from servers.memory.policies.second_chance import SecondChance

REFERENCES = st.lists(st.integers(0, 7), min_size=1, max_size=60)
FRAMES = st.integers(1, 8)
EVERY = pytest.mark.parametrize("policy", policies().values(), ids=lambda policy: policy.name)


class LongAgeing(Ageing):
    """Remembers more than a test's references: then it is LRU exactly."""

    BITS = 64
    SHIFTS = 8


def lru_faults(references: Sequence[int], frames: int) -> int:
    """By the stack of pages in the order of their last use."""
    stack: list[int] = []
    missed = 0
    for page in references:
        missed += page not in stack[:frames]
        stack = [page, *(other for other in stack if other != page)]
    return missed


def fewest_faults(references: Sequence[int], frames: int) -> int:
    """By trying every victim."""
    states = {frozenset[int](): 0}
    for page in references:
        after: dict[frozenset[int], int] = {}
        for held, missed in states.items():
            if page in held:
                choices = [held]
            elif len(held) < frames:
                choices = [held | {page}]
            else:
                choices = [held - {victim} | {page} for victim in held]
            for choice in choices:
                count = missed + (page not in held)
                after[choice] = min(after.get(choice, count), count)
        states = after
    return min(states.values())


def test_a_policy_is_a_file_and_a_name() -> None:
    files = {path.stem for path in Path(package.__file__ or "").parent.glob("*.py")}
    assert {policy.__module__.rpartition(".")[2] for policy in policies().values()} == files - {
        "__init__",
        "policy",
    }
    assert all(policy.name == name and policy.__doc__ for name, policy in policies().items())


@EVERY
@given(references=REFERENCES, frames=FRAMES, seed=st.integers(0, 9))
def test_memory_is_kept_as_every_policy_must(
    policy: type[Policy], references: list[int], frames: int, seed: int
) -> None:
    held: set[int] = set()
    for page, step in zip(references, steps(policy(frames, seed), references), strict=True):
        assert step.page == page
        assert step.fault == (page not in held)
        assert (step.victim is not None) == (step.fault and len(held) == frames)
        if step.victim is not None:
            held.remove(step.victim)
        held.add(page)
        assert sorted(step.frames) == sorted(held)
    assert faults(policy(frames, seed), references) == sum(
        step.fault for step in steps(policy(frames, seed), references)
    )


@EVERY
@given(references=REFERENCES, frames=FRAMES)
def test_nobody_is_better_than_the_optimum(
    policy: type[Policy], references: list[int], frames: int
) -> None:
    assert faults(policy(frames), references) >= faults(Optimal(frames), references)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=25), st.integers(1, 4))
def test_the_optimum_is_the_best_of_all_choices(references: list[int], frames: int) -> None:
    assert faults(Optimal(frames), references) == fewest_faults(references, frames)


@given(REFERENCES, FRAMES)
def test_ageing_that_remembers_all_is_lru(references: list[int], frames: int) -> None:
    assert faults(LongAgeing(frames), references) == lru_faults(references, frames)


@pytest.mark.parametrize("policy", [Optimal, LongAgeing])
@given(references=REFERENCES, frames=FRAMES)
def test_a_stack_algorithm_never_gets_worse_with_more_memory(
    policy: type[Policy], references: list[int], frames: int
) -> None:
    assert faults(policy(frames + 1), references) <= faults(policy(frames), references)


def test_ageing_is_near_lru_and_not_first_in_first_out() -> None:
    references = PATTERNS["zipf"](random.Random(3), 200, 5000)
    aged, queued = (faults(policy(64), references) for policy in (Ageing, FIFO))
    assert aged < (queued + lru_faults(references, 64)) / 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class Mine(Policy):\n    pass\n", "Mine in .*zz has no name"),
        ("class Mine(Policy):\n    name = 'fifo'\n", "are both called 'fifo'"),
    ],
)
def test_a_policy_that_is_not_right_is_named(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zz.py").write_text(f"from servers.memory.policies.policy import Policy\n{text}")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    try:
        with pytest.raises(TypeError, match=said):
            policies()
    finally:
        sys.modules.pop("servers.memory.policies.zz", None)
        vars(package).pop("zz", None)


def test_beladys_anomaly() -> None:
    assert [faults(FIFO(frames), BELADY) for frames in (3, 4)] == [9, 10]
    assert [faults(Optimal(frames), BELADY) for frames in (3, 4)] == [7, 6]
    assert [faults(LongAgeing(frames), BELADY) for frames in (3, 4)] == [10, 8]


@given(REFERENCES, FRAMES)
def test_the_clock_is_second_chance_without_the_queue(references: list[int], frames: int) -> None:
    by_clock = [step.victim for step in steps(Clock(frames), references)]
    assert by_clock == [step.victim for step in steps(SecondChance(frames), references)]


def test_a_loop_one_page_too_long_defeats_recency_and_not_the_optimum() -> None:
    references = list(range(5)) * 20
    for policy, frames in product([FIFO, Clock, LongAgeing], [4]):
        assert faults(policy(frames), references) == len(references)
    assert faults(Optimal(4), references) < len(references) / 3


def test_a_draw_is_repeated_by_its_seed() -> None:
    references = list(range(9)) * 9
    runs = [[step.victim for step in steps(Random(3, seed), references)] for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


class Pages:
    """A look at pages, of which some are referenced and some may not go."""

    def __init__(self, referenced: set[int], locked: set[int]) -> None:
        self.referenced = referenced
        self.locked = locked

    def accessed(self, page: int) -> bool:
        was = page in self.referenced
        self.referenced.discard(page)
        return was

    def dirty(self, page: int) -> bool:
        return page % 2 == 1

    def evictable(self, page: int) -> bool:
        return page not in self.locked


@EVERY
@given(
    steps=st.lists(st.tuples(st.integers(0, 9), st.sets(st.integers(0, 9)), st.booleans())),
    locked=st.sets(st.integers(0, 9)),
)
def test_whatever_comes_goes_and_is_locked_a_victim_is_a_page_that_may_go(
    policy: type[Policy], steps: list[tuple[int, set[int], bool]], locked: set[int]
) -> None:
    one = policy(10)
    one.foresee([page for page, _, _ in steps])
    held: set[int] = set()
    for page, referenced, evict in steps:
        if page in held:
            one.forget(page)
            held.remove(page)
        else:
            one.admit(page)
            held.add(page)
        look = Pages(referenced, locked)
        one.tick(look)
        victim = one.victim(look) if evict else None
        assert victim is None or victim in held - locked
        assert not evict or (victim is None) == (not held - locked)


@EVERY
def test_all_go_in_the_end_however_busy_they_are(policy: type[Policy]) -> None:
    one = policy(100)
    held = set(range(100))
    for page in held:
        one.admit(page)
    while held:
        victim = one.victim(Pages(set(held), set()))
        assert victim is not None
        one.forget(victim)
        held.remove(victim)
    assert one.victim(Pages(set(), set())) is None
