"""The clock under every kernel."""

import errno
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System, boot
from kernels.system import User
from servers.clock import LATEST, LONGEST_WAIT, Clock
from twinos import Caller, Until

MOMENT = 0.002


@pytest.fixture(params=["monolithic", "microkernel"], scope="module")
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with boot(request.param, Clock) as system:
        yield system


@pytest.fixture
def user(system: System) -> Iterator[User]:
    with system.user() as user:
        yield user


@pytest.fixture
def clock(user: User) -> Clock:
    return user[Clock]


def test_tells_the_time_of_the_host(clock: Clock) -> None:
    before = time.time()
    assert before <= clock.time() <= time.time()
    before_ns = time.time_ns()
    assert before_ns <= clock.time_ns() <= time.time_ns()
    assert clock.monotonic() <= clock.monotonic()
    assert clock.null() is None


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_time_held_still_is_the_same_in_every_run(kernel: str) -> None:
    with boot(kernel, Clock, config={Clock: {"time": 86_400}}) as system:
        clock = system[Clock]
        assert (clock.time(), clock.time_ns(), clock.monotonic()) == (86_400.0, 86_400 * 10**9, 0.0)
        assert clock.alarm(7.5) == 0.0
        assert clock.alarm(0.25) == 7.5
        assert clock.alarm(0.0) == 0.25


@pytest.mark.parametrize("moment", [LATEST + 1, -LATEST - 1, 2**64 - 1])
def test_time_can_be_held_only_where_it_can_be_told(moment: int) -> None:
    with pytest.raises(OSError, match="time must be within") as caught:
        Clock(time=moment)
    assert caught.value.errno == errno.EINVAL


def test_sleep_lasts_as_long_as_asked(clock: Clock) -> None:
    before = time.monotonic()
    clock.sleep(MOMENT)
    assert time.monotonic() - before >= MOMENT
    clock.sleep(0.0)


@pytest.mark.parametrize("seconds", [-1.0, -0.001, math.nan, -math.inf])
@pytest.mark.parametrize("operation", ["sleep", "alarm"])
def test_a_time_that_is_none_is_refused(clock: Clock, operation: str, seconds: float) -> None:
    with pytest.raises(OSError, match="Invalid argument") as caught:
        getattr(clock, operation)(seconds)
    assert caught.value.errno == errno.EINVAL


def test_pause_waits_for_the_alarm_and_takes_it(clock: Clock) -> None:
    before = time.monotonic()
    assert clock.alarm(MOMENT) == 0.0
    clock.pause()
    assert time.monotonic() - before >= MOMENT
    assert clock.alarm(0.0) == 0.0


def test_an_alarm_that_went_off_before_pause_is_not_lost(clock: Clock) -> None:
    clock.alarm(0.0001)
    clock.sleep(MOMENT)
    clock.pause()


def test_a_new_alarm_replaces_the_old_and_tells_what_it_had_left(clock: Clock) -> None:
    clock.alarm(1000.0)
    assert 990 < clock.alarm(MOMENT) <= 1000
    clock.pause()


def test_another_thread_cancels_and_arms(clock: Clock) -> None:
    clock.alarm(1000.0)
    waiter = threading.Thread(target=clock.pause)
    waiter.start()
    assert 990 < clock.alarm(0.0) <= 1000
    clock.alarm(MOMENT)
    waiter.join(10)
    assert not waiter.is_alive()


def test_alarms_of_callers_are_their_own(system: System, clock: Clock) -> None:
    with system.user() as other:
        other[Clock].alarm(1000.0)
        assert clock.alarm(0.0) == 0.0
        assert other[Clock].alarm(0.0) > 990


def test_a_departed_caller_leaves_no_alarm() -> None:
    clock: Any = Clock()
    caller = Caller(7)
    clock.alarm(caller, 1000.0)
    clock._departed(caller)
    assert clock.alarm(caller, 0.0) == 0.0


def test_others_are_served_while_one_waits(system: System, clock: Clock) -> None:
    waiter = threading.Thread(target=clock.pause)
    waiter.start()
    with system.user() as other:
        assert other[Clock].null() is None
    assert clock.null() is None
    clock.alarm(MOMENT)
    waiter.join(10)
    assert not waiter.is_alive()


@settings(derandomize=True, deadline=None)
@given(st.floats(min_value=0.001))
def test_however_long_a_sleep_each_wait_ends_within_a_day_and_can_be_given_up(
    seconds: float,
) -> None:
    sleeping: Any = Clock().sleep(seconds)  # the generator: no kernel drives it
    wait = next(sleeping)
    assert isinstance(wait, Until)
    assert wait.deadline <= time.monotonic() + min(seconds, LONGEST_WAIT)
    sleeping.close()
