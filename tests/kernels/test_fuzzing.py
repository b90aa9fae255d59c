"""The short form of `tests.kernels.fuzzing`, with fixed seeds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.corpus import mutated, recorded
from tests.kernels.fuzzing import GROWTH_KIB, LOOKS, Field, attack, fields, grows


@pytest.mark.parametrize(("transport", "seed"), [("pipe", 7), ("ring", 8)])
@pytest.mark.parametrize("field", fields(), ids=lambda field: field.name)
def test_fuzzed_frames_harm_nobody(field: Field, transport: str, seed: int) -> None:
    outcome = attack(field, 1000, seed, transport, drawn=2)
    assert not outcome.complaints
    assert all(outcome.frames.values())
    assert outcome.honest_calls > 10
    assert outcome.channels > 100  # most cost their sender one
    assert outcome.channels < 1000  # and some were requests


def test_traffic_of_every_service_is_recorded() -> None:
    field, _ = fields()
    corpus = recorded(field.services, drawn=0)
    assert all(len(frames) >= 3 for frames in corpus.values())
    assert len({frame[4] for frame in corpus["FileSystem"]}) > 20
    rng = random.Random(3)
    frames = corpus["FileSystem"]
    assert len({mutated(rng, frames) in frames for _ in range(200)}) == 2


@given(st.integers(0, 1 << 30), st.integers(GROWTH_KIB + 8, 1 << 30), st.integers(1, len(LOOKS)))
def test_what_leaks_is_told_from_what_fills_up(first: int, amount: int, when: int) -> None:
    last = len(LOOKS)
    assert grows([first + amount * at // last for at in range(last + 1)])
    assert not grows([first + min(amount, 2 * amount * at // last) for at in range(last + 1)])
    assert not grows([first + GROWTH_KIB * at // last for at in range(last + 1)])
    assert not grows([first + amount * (at >= when) for at in range(last + 1)])  # a step
