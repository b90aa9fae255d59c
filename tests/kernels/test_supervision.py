"""Supervision: who hangs is found and started again, who is slow or waits is not."""

import ctypes
import errno
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import System, boot
from tests.conftest import KERNELS, Kernel, eventually
from twinos import BootError, ServerDied, Service, Signal, Supervision, Waits, op
from twinos.supervision import most_patient

IMPATIENT = Supervision(hang=0.4, start=0.4)
SURVIVORS = [kernel for kernel in KERNELS if not kernel.panics]


class Sloth(Service, supervision=IMPATIENT):
    """Hangs in every way that there is."""

    @op(idempotent=True)
    def pid(self) -> int:
        return os.getpid()

    @op
    def loop(self) -> None:
        while True:
            pass

    @op
    def sleep(self) -> None:
        time.sleep(3600)

    @op
    def keep_the_interpreter(self) -> None:
        ctypes.PyDLL(None).sleep(3600)

    @op
    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(3600)  # another thread may be stopped first

    @op
    def loop_after_a_wait(self) -> Waits[None]:
        yield Signal().until(0)
        while True:
            pass

    @op(idempotent=True)
    def be_slow(self, seconds: float) -> None:
        time.sleep(seconds)

    @op
    def wait(self, seconds: float) -> Waits[None]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            yield Signal().until(deadline)

    @op
    def die(self) -> None:
        os._exit(1)


class Patron(Service, supervision=IMPATIENT):
    """Waits for another service."""

    def __init__(self, sloth: Sloth) -> None:
        self._sloth = sloth

    @op(idempotent=True)
    def pid(self) -> int:
        return os.getpid()

    @op
    def loop(self) -> None:
        self._sloth.loop()

    @op
    def be_slow(self, seconds: float, times: int) -> None:
        for _ in range(times):
            self._sloth.be_slow(seconds)


class Unborn(Service, supervision=IMPATIENT):
    """Never comes to its end."""

    def __init__(self) -> None:
        time.sleep(3600)

    @op
    def null(self) -> None: ...


class Mortal(Service, supervision=Supervision(at_once=1, rest=0.01, most=3)):
    """May die twice."""

    @op
    def die(self) -> None:
        os._exit(1)

    @op
    def null(self) -> None: ...


@pytest.fixture(params=SURVIVORS, ids=lambda kernel: kernel.name)
def survivor(request: pytest.FixtureRequest) -> Kernel:
    kernel: Kernel = request.param
    return kernel


HANGS: list[Any] = [
    (lambda sloth: sloth.loop(), "was at one request for"),
    (lambda sloth: sloth.sleep(), "was at one request for"),
    (lambda sloth: sloth.loop_after_a_wait(), "was at one request for"),
    (lambda sloth: sloth.keep_the_interpreter(), "gave no sign of life for 0.4 s"),
    (lambda sloth: sloth.stop(), "stopped"),
]


@pytest.mark.parametrize(("hang", "why"), HANGS, ids=[str(i) for i in range(len(HANGS))])
def test_a_server_that_hangs_is_started_again(survivor: Kernel, hang: Any, why: str) -> None:
    with survivor.boot(Sloth) as system, system.user() as bystander:
        before = system[Sloth].pid()
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(hang, system[Sloth])
            eventually(lambda: bystander[Sloth].pid() != before, "there is a next life")
            assert isinstance(hanging.exception(10), ServerDied)
            assert f"died: hung: {why}" in str(hanging.exception())
        assert restarts(system, "Sloth") == 1
        whats = [event.what for event in system.events() if event.server == "Sloth"]
        assert [what.split(":")[0] for what in whats] == ["started", "died", "started, life 2"]


def test_a_slow_server_is_not_taken_for_dead(survivor: Kernel) -> None:
    """Requests of 50 ms, several clients at a time, for longer than a hang takes."""
    with survivor.boot(Patron) as system, ThreadPoolExecutor(4) as pool:
        users = [system.user() for _ in range(4)]
        busy = [pool.submit(user[Patron].be_slow, 0.05, 3) for user in users[:2] * 3]
        busy += [pool.submit(repeat, user[Sloth], 8) for user in users[2:]]
        for work in busy:
            work.result(30)
        assert (restarts(system, "Sloth"), restarts(system, "Patron")) == (0, 0)
        for user in users:
            user.close()


def repeat(sloth: Sloth, times: int) -> None:
    for _ in range(times):
        sloth.be_slow(0.05)


def test_waiting_is_no_hang(survivor: Kernel) -> None:
    with survivor.boot(Sloth) as system:
        system[Sloth].wait(1.0)
        assert restarts(system, "Sloth") == 0


def test_who_waits_for_one_that_hangs_is_spared() -> None:
    with boot("microkernel", Patron) as system:
        patron = system[Patron].pid()
        with pytest.raises(ServerDied, match="Sloth died: hung: was at one request"):
            system[Patron].loop()
        assert system[Patron].pid() == patron
        assert restarts(system, "Sloth") == 1


def test_a_constructor_that_hangs_is_no_boot() -> None:
    with pytest.raises(BootError, match=r"Unborn died: hung: was not ready after 0\.4 s"):
        boot("microkernel", Unborn)


def test_a_server_that_dies_too_often_is_given_up(survivor: Kernel) -> None:
    with survivor.boot(Mortal) as system:
        for _ in range(3):
            with pytest.raises(ServerDied, match="Mortal died: exited with status 1"):
                system[Mortal].die()
        with pytest.raises(ServerDied, match="3 times in 60 s: given up") as caught:
            system[Mortal].null()
        assert caught.value.errno == errno.ECONNREFUSED
        (status,) = system.status()
        assert (status.state, status.pid, status.restarts) == ("given up", 0, 2)


def test_status(kernel: Kernel) -> None:
    with kernel.boot(Patron) as system:
        names = [name for server in system.status() for name in server.services]
        assert names == ["Sloth", "Patron"]
        for server in system.status():
            assert (server.state, server.restarts, server.verdict) == ("running", 0, "")
            assert server.uptime >= 0
            os.kill(server.pid, 0)
        by_name = {name: server.pid for server in system.status() for name in server.services}
        assert by_name == {"Sloth": system[Sloth].pid(), "Patron": system[Patron].pid()}


def restarts(system: System, name: str) -> int:
    return next(server.restarts for server in system.status() if name in server.services)


@given(st.integers(0, 200), st.floats(0.001, 1.0), st.floats(1.0, 60.0), st.integers(0, 10))
def test_rests_are_powers_of_two_up_to_a_bound(
    deaths: int, rest: float, longest: float, at_once: int
) -> None:
    policy = Supervision(at_once=at_once, rest=rest, longest_rest=longest)
    pause = policy.pause(deaths)
    if deaths <= at_once:
        assert pause == 0.0
    elif pause < longest:
        assert pause == rest * 2 ** (deaths - at_once - 1)
        assert policy.pause(deaths + 1) in {2 * pause, longest}
    else:
        assert pause == longest


def test_those_who_share_a_process_share_the_most_patient_policy() -> None:
    calm, hasty = Supervision(), Supervision(1, 0.2, 60.0, 3, 120.0, 1.0, 2.0)
    assert most_patient([calm, hasty]) == most_patient([hasty, calm]) == calm
    assert most_patient([hasty]) == hasty
