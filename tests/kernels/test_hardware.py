"""Interrupts: lines that devices raise, under every kernel."""

import errno
import os
import signal
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec
import pytest

from kernels import boot
from lab.trace.recorder import HARDWARE, recording
from servers.clock import Clock
from servers.disk import BLOCK_SIZE, Disk
from servers.slowdisk import SlowDisk
from tests.conftest import Kernel, eventually
from twinos import (
    Bind,
    ContractError,
    Line,
    Region,
    ServerDied,
    Service,
    Signal,
    Waits,
    op,
)
from twinos.wiring import needs


class Bell(Service):
    """A driver: it counts what its device raises, and can wait for it."""

    def __init__(self, bell: Line) -> None:
        self._bell = bell
        self._rings = 0
        self._rung = Signal()

    @op
    def arm(self, seconds: float) -> None:
        """Have it ring."""
        self._bell.after(seconds)

    @op
    def rings(self, least: int) -> Waits[int]:
        """How often it has rung, once that is so often."""
        while self._rings < least:
            yield self._rung
        return self._rings

    @op
    def pid(self) -> int:
        """The process that it is in."""
        return os.getpid()

    def _interrupted(self) -> None:
        self._rings += 1
        self._rung.notify()


class Above(Service):
    """No driver, but it calls one."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    @op
    def rings(self, least: int) -> int:
        """How often the bell has rung."""
        return self._bell.rings(least)


class Greedy(Service):
    """A driver of two devices, which there is not."""

    def __init__(self, one: Line, other: Line) -> None: ...


def test_a_device_raises_its_line_when_its_driver_has_said(kernel: Kernel) -> None:
    with kernel.boot(Above) as system:
        bell = system[Bell]
        assert system.interrupts().get("Bell", 0) == 0
        bell.arm(0.0)
        assert bell.rings(1) == 1
        start = time.monotonic()
        bell.arm(0.05)
        assert system[Above].rings(2) == 2
        assert time.monotonic() - start >= 0.05
        assert system.interrupts()["Bell"] == 2


def test_the_last_word_to_a_device_counts(kernel: Kernel) -> None:
    with kernel.boot(Bell) as system:
        bell = system[Bell]
        bell.arm(0.1)
        bell.arm(3600.0)
        time.sleep(0.15)
        assert bell.rings(0) == system.interrupts().get("Bell", 0) == 0
        bell.arm(0.0)
        assert bell.rings(1) == 1


def test_a_driver_that_waits_is_woken_from_outside(kernel: Kernel) -> None:
    with kernel.boot(Bell, Disk) as system:
        heard: list[int] = []
        user = system.user()
        waiting = threading.Thread(target=lambda: heard.append(user[Bell].rings(1)))
        waiting.start()
        system.interrupt(Bell)
        waiting.join(10)
        assert heard == [1]
        assert dict(system.interrupts()) == {"Bell": 1}
        with pytest.raises(OSError, match="Invalid") as caught:
            system.interrupt(Disk)
        assert caught.value.errno == errno.EINVAL
        user.close()


def test_only_the_superuser_does_something_to_devices() -> None:
    with boot("microkernel", Bell) as system, system.user(uid=1000, gid=1000) as student:
        start = student.process(_raise_it)
        assert start.join(20) == errno.EPERM


def _raise_it(user: Any) -> int:
    try:
        user._kernel.interrupt(Bell)
    except OSError as error:
        return error.errno or 0
    return 0


def test_a_driver_is_interrupted_in_its_next_life() -> None:
    with boot("microkernel", Bell) as system:
        bell = system[Bell]
        bell.arm(3600.0)
        os.kill(bell.pid(), signal.SIGKILL)
        with pytest.raises(ServerDied):
            bell.rings(1)
        eventually(lambda: system.status()[0].state == "running")
        bell.arm(0.0)
        assert bell.rings(1) == 1


def test_a_bug_in_a_handler_is_the_services(kernel: Kernel) -> None:
    with kernel.boot(Clumsy) as system, pytest.raises((ServerDied, RuntimeError)):
        system[Clumsy].trip()


class Clumsy(Service):
    """Its handler has a bug."""

    def __init__(self, line: Line) -> None:
        self._line = line

    @op
    def trip(self) -> Waits[None]:
        """Have it raised, and wait for it."""
        self._line.after(0.0)
        yield Signal()

    def _interrupted(self) -> None:
        raise LookupError("in a handler")


def test_one_device_a_driver() -> None:
    with pytest.raises(ContractError, match="a driver has one device"):
        needs(Greedy)


def test_interrupts_are_in_the_trace(kernel: Kernel) -> None:
    with recording() as record, kernel.boot(Clock, layers=[record.layer]) as system:
        record.switch(on=True)
        system[Clock].sleep(0.01)
        record.switch(on=False)
        told = [(one.client, one.service, one.operation) for one in record.taken()]
        assert (HARDWARE, "Clock", "interrupt") in told
        assert ("root", "Clock", "sleep") not in told  # a person is called by the host's name
        assert system.interrupts()["Clock"] >= 1


class Timed(SlowDisk):
    """A slow disk that goes by a clock of its own, and tells it."""

    @op
    def elapsed(self) -> float:
        """Seconds that have passed for the disk."""
        return self._timer.now()


def test_a_disk_by_its_own_clock_takes_exactly_its_time(kernel: Kernel) -> None:
    model = {"settle": 0.010, "stroke": 0.030, "turn": 0.008, "rate": 1024 * 1000.0}
    config = {Timed: {"blocks": 1000, "virtual": True, **model}}
    with kernel.boot(Timed, config=config) as system:
        disk, start = system[Timed], time.monotonic()
        disk.read(0, 5)
        assert disk.elapsed() == pytest.approx(0.005)
        disk.write(255, bytes(BLOCK_SIZE))
        assert disk.elapsed() == pytest.approx(0.005 + 0.010 + 0.020 / 2 + 0.004 + 0.001)
        for _ in range(50):
            disk.read(0)
            disk.read(999)
        assert disk.elapsed() > 50 * 2 * 0.035
        assert time.monotonic() - start < disk.elapsed() or disk.elapsed() > 3
        assert system.interrupts()["Timed"] == 102


class Observer(msgspec.Struct, frozen=True):
    """A layer that is told of interrupts."""

    region: str

    def around(self, bind: Bind, client: str) -> Bind:
        """Nothing."""
        del client
        return bind

    def interrupted(self, driver: str) -> AbstractContextManager[None]:
        """Fail, so that it is seen."""
        return nullcontext(print(self.region, driver))  # type: ignore[func-returns-value]  # noqa: T201 (the test reads it)


def test_layers_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    with boot("microkernel", Bell, layers=[Observer("heard")]) as system:
        system[Bell].arm(0.0)
        assert system[Bell].rings(1) == 1
    assert capfd.readouterr().out == "heard Bell\n"


def test_regions_and_lines_go_together(kernel: Kernel) -> None:
    with kernel.boot(Keyed) as system:
        grant = system.region(Keyed, "keys")
        grant.memory[0] = 65
        system.interrupt(Keyed)
        assert system[Keyed].key() == 65


class Keyed(Service):
    """A driver whose device has a register."""

    def __init__(self, key: Line, keys: Region) -> None:
        if not keys.size:
            keys.resize(1)
        self._keys = keys
        self._pressed = Signal()
        self._line = key

    @op
    def key(self) -> Waits[int]:
        """The key that is pressed."""
        while not (key := self._keys.memory[0]):
            yield self._pressed
        return key

    def _interrupted(self) -> None:
        self._pressed.notify()
