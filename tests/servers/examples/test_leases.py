"""Leases: one holder at a time, in turn, for a term; tokens only grow."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kernels import boot
from lab.agreement import check_agreement
from servers.examples.leases import Leases
from tests.conftest import Kernel, eventually
from tests.servers.examples.mortals import kill
from twinos import Caller, Region

LONG = 1000.0


def test_the_kernels_agree() -> None:
    check_agreement(Leases)


def test_one_holder_at_a_time(kernel: Kernel) -> None:
    with kernel.boot(Leases) as system, system.user() as other:
        mine, theirs = system[Leases], other[Leases]
        token = mine.acquire("door", LONG)
        with pytest.raises(BlockingIOError):
            theirs.acquire("door", LONG)
        assert mine.acquire("door", LONG) == token, "a holder may ask again"
        held = theirs.holder("door")
        assert (held.owner, held.token) == (system.caller.id, token)
        assert 0 < held.left <= LONG
        for wrong in (theirs.release, lambda name, _: theirs.renew(name, token, LONG)):
            with pytest.raises(PermissionError):
                wrong("door", token)
        mine.release("door", token)
        with pytest.raises(FileNotFoundError):
            mine.holder("door")
        assert theirs.acquire("door", LONG) > token


def test_those_who_wait_get_it_in_turn(kernel: Kernel) -> None:
    with kernel.boot(Leases) as system, ThreadPoolExecutor(3) as pool:
        users = [system.user() for _ in range(3)]
        token = system[Leases].acquire("door", LONG)
        order: list[int] = []

        def take(number: int) -> int:
            leases = users[number][Leases]
            token = leases.acquire("door", LONG, LONG)
            order.append(number)
            leases.release("door", token)
            return token

        waiting = []
        for number in range(3):
            waiting.append(pool.submit(take, number))
            eventually(waiting[-1].running)
        system[Leases].release("door", token)
        tokens = [future.result(10) for future in waiting]
        assert sorted(tokens) == [token + 1, token + 2, token + 3]
        assert order == sorted(range(3), key=tokens.__getitem__)
        for user in users:
            user.close()


def test_a_lease_ends_with_its_term_or_its_holder(kernel: Kernel) -> None:
    with kernel.boot(Leases) as system:
        leases = system[Leases]
        with system.user() as other:
            first = other[Leases].acquire("door", 0.002)
            second = leases.acquire("door", LONG, LONG)
            assert second > first
            with pytest.raises(PermissionError):
                other[Leases].release("door", first)
            other[Leases].acquire("window", LONG)
        assert leases.acquire("window", LONG) > second


@pytest.mark.parametrize("term", [0.0, -1.0, math.inf, math.nan, 3600.1])
def test_a_term_has_its_bounds(kernel: Kernel, term: float) -> None:
    with kernel.boot(Leases) as system:
        with pytest.raises(OSError, match="Invalid argument"):
            system[Leases].acquire("door", term)
        token = system[Leases].acquire("door", LONG)
        with pytest.raises(OSError, match="Invalid argument"):
            system[Leases].renew("door", token, term)


def test_tokens_never_go_back() -> None:
    with boot("microkernel", Leases) as system:
        token = 0
        for _ in range(4):
            token, before = system[Leases].acquire("door", LONG), token
            assert token == before + 1
            kill(Leases)
            eventually(lambda: _is_forgotten(system))


def _is_forgotten(system: Any) -> bool:
    try:
        system[Leases].holder("door")
    except FileNotFoundError:
        return True
    return False


class LeasesAgainstAModel(RuleBasedStateMachine):
    """Three callers and two names, under a clock that the test moves."""

    def __init__(self) -> None:
        super().__init__()
        self.region = Region.create("test")
        self.leases: Any = Leases(self.region)
        self.time = 100.0
        self.leases._now = lambda: self.time
        self.model: dict[str, tuple[int, int, float]] = {}
        self.last = 0

    @invariant()
    def holders_are_those_of_the_model(self) -> None:
        for name in "ab":
            try:
                lease = self.leases.holder(name)
            except FileNotFoundError:
                assert name not in self.model
            else:
                owner, token, deadline = self.model[name]
                assert lease == (name, owner, token, deadline - self.time)

    @rule(who=st.integers(1, 3), name=st.sampled_from("ab"), term=st.integers(1, 9))
    def acquire(self, who: int, name: str, term: int) -> None:
        holder, token, _ = self.model.get(name, (who, self.last + 1, 0.0))
        if holder != who:
            with pytest.raises(BlockingIOError):
                self.leases.acquire(Caller(who), name, float(term)).send(None)
            return
        with pytest.raises(StopIteration) as done:
            self.leases.acquire(Caller(who), name, float(term)).send(None)
        assert done.value.value == token
        self.last = max(self.last, token)
        self.model[name] = (who, token, self.time + term)

    @rule(who=st.integers(1, 3), name=st.sampled_from("ab"))
    def release(self, who: int, name: str) -> None:
        holder, token, _ = self.model.get(name, (0, self.last, 0.0))
        try:
            self.leases.release(Caller(who), name, token)
        except PermissionError:
            assert holder != who
        else:
            assert holder == who
            del self.model[name]

    @rule(who=st.integers(1, 3))
    def depart(self, who: int) -> None:
        self.leases._departed(Caller(who))
        self.model = {name: held for name, held in self.model.items() if held[0] != who}

    @rule(seconds=st.integers(1, 5))
    def time_goes_by(self, seconds: int) -> None:
        self.time += seconds
        self.model = {name: held for name, held in self.model.items() if held[2] > self.time}

    def teardown(self) -> None:
        self.region.close()


TestLeasesAgainstAModel = LeasesAgainstAModel.TestCase
