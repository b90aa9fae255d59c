"""The short form of `tests.kernels.fuzzing`, with fixed seeds."""

import random

import pytest

from tests.kernels.fuzzing import attack, mutated, recorded


@pytest.mark.parametrize(("transport", "seed"), [("pipe", 7), ("ring", 8)])
def test_fuzzed_frames_harm_nobody(transport: str, seed: int) -> None:
    outcome = attack(1200, seed, transport)
    assert not outcome.complaints
    assert outcome.honest_calls > 10
    assert outcome.channels > 100  # most cost their sender one
    assert outcome.channels < 1200  # and some were requests


def test_traffic_of_every_service_is_recorded() -> None:
    corpus = recorded()
    assert all(len(frames) > 3 for frames in corpus.values())
    assert len({frame[4] for frame in corpus["FileSystem"]}) > 20
    rng = random.Random(3)
    frames = corpus["FileSystem"]
    assert len({mutated(rng, frames) in frames for _ in range(200)}) == 2
