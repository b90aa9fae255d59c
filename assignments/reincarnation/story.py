"""Telling a reincarnation server what happens, and looking at what it does."""

from assignments.reincarnation.contract import Act, Policy, Subject, Wards
from kernels import System
from lab.grading.bench import Bench

CALM = Policy(at_once=2, rest=100, longest=1000, long_life=5000, most=50, within=60_000)
"""A policy in which nothing but its rests counts."""


class Story:
    """What happens to one service, `disk`.

    Args:
        bench: of the test.
        system: with the student's server.
        policy: of the service.
    """

    def __init__(self, bench: Bench, system: System, policy: Policy) -> None:
        self._bench = bench
        self.server = system[Subject]
        self.wards = system[Wards]
        self.now = 0
        self.server.watch(0, "disk", policy)
        self.expect("watch", "start")

    def pass_time(self, milliseconds: int, step: int = 50, beats: bool = True) -> None:
        """Let time pass, in ticks, with signs of life unless it is silent."""
        end = self.now + milliseconds
        while self.now < end:
            self.now = min(self.now + step, end)
            if beats:
                self.server.beat(self.now, "disk")
            self.server.tick(self.now)

    def die(self) -> None:
        """It dies."""
        self.server.died(self.now, "disk")

    def expect(self, when: str, *what: str) -> None:
        """Expect that just this was done since the last look."""
        expected = tuple(Act(each, "disk") for each in what)
        self._bench.expect(f"at {self.now} ms, after {when}", self.wards.acts(), expected)

    def expect_state(self, state: str) -> None:
        """Expect it to be said to be so."""
        self._bench.expect(f"the state at {self.now} ms", self.server.state("disk"), state)

    def expect_rest(self, milliseconds: int) -> None:
        """Expect that it dies, and is started again after just this time."""
        self.die()
        if milliseconds:
            self.expect("a death")
            self.expect_state("resting")
            self.pass_time(milliseconds - 1)
            self.expect(f"{milliseconds - 1} ms of rest")
            self.pass_time(1)
        self.expect(f"a rest of {milliseconds} ms", "start")
        self.expect_state("running")
