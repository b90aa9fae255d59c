"""The kernels agree on every service; and a difference that is planted is found."""

import os

import pytest

from kernels import System
from lab.agreement import DisagreementError, check_agreement
from servers.clock import Clock
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from twinos import Caller, Service, op


def synced_image(system: System) -> bytes:
    system[FileSystem].sync()
    return system.region(Disk, "store").memory[:]


def test_clock() -> None:
    check_agreement(Clock)


def test_disk() -> None:
    check_agreement(Disk, config={Disk: {"blocks": 32}})


def test_memory() -> None:
    check_agreement(MemoryManager)


def test_filesystem_and_its_image() -> None:
    check_agreement(FileSystem, config={Disk: {"blocks": 256}}, state=synced_image, examples=60)


class Honest(Service):
    @op
    def who(self, caller: Caller, word: str) -> str:
        return f"{word} from {caller.id}"


class Planted(Service):
    """Means something else in another process, after a while."""

    HOME = os.getpid()

    def __init__(self) -> None:
        self._asked = 0

    @op
    def count(self, step: int) -> int:
        self._asked += 1
        elsewhere = os.getpid() != self.HOME
        return self._asked + (elsewhere and self._asked > 2 and step == 3)


class Differing(Service):
    """Fails with another text in another process."""

    @op
    def fail(self) -> None:
        raise OSError(5, f"in {os.getpid()}")


class Buggy(Service):
    @op
    def divide(self, by: int) -> int:
        return 1 // by


def test_callers_are_the_same() -> None:
    check_agreement(Honest, examples=5)


@pytest.mark.parametrize("service", [Planted, Differing])
def test_a_planted_difference_is_found(
    service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Planted, "HOME", os.getpid())  # who runs tests may have forked since
    with pytest.raises(DisagreementError, match=r"monolithic: .*; microkernel: "):
        check_agreement(service, examples=100)


def test_a_bug_is_found() -> None:
    with pytest.raises(DisagreementError, match=r"Buggy\.divide is not free of bugs"):
        check_agreement(Buggy)


def test_a_difference_in_state_is_found() -> None:
    with pytest.raises(DisagreementError, match="the state at the end"):
        check_agreement(Honest, state=lambda system: repr(system).encode(), examples=2)
