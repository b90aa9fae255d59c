"""The name service: names belong to their owners, vanish with them, and can be waited for."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from kernels import boot
from lab.agreement import check_agreement
from servers.examples.names import NameService
from tests.conftest import Kernel, eventually
from tests.servers.examples.mortals import kill


def test_the_kernels_agree() -> None:
    check_agreement(NameService)


def test_a_name_is_published_changed_and_withdrawn(kernel: Kernel) -> None:
    with kernel.boot(NameService) as system:
        names = system[NameService]
        assert names.publish("printer", b"one") == 0
        assert names.publish("printer", b"two") == 1
        assert names.publish("plotter", b"three") == 2
        assert names.lookup("printer") == (b"two", system.caller.id, 1)
        assert names.names("p") == ("plotter", "printer")
        assert names.names("pr") == ("printer",)
        names.withdraw("printer")
        with pytest.raises(FileNotFoundError, match="printer"):
            names.lookup("printer")
        with pytest.raises(OSError, match="Invalid argument"):
            names.publish("", b"")


def test_a_name_is_its_owners(kernel: Kernel) -> None:
    with kernel.boot(NameService) as system, system.user() as other:
        system[NameService].publish("printer", b"mine")
        with pytest.raises(FileExistsError):
            other[NameService].publish("printer", b"theirs")
        with pytest.raises(PermissionError):
            other[NameService].withdraw("printer")
        assert other[NameService].lookup("printer").value == b"mine"


def test_names_vanish_with_their_owner(kernel: Kernel) -> None:
    with kernel.boot(NameService) as system:
        with system.user() as other:
            other[NameService].publish("printer", b"theirs")
            system[NameService].publish("plotter", b"mine")
        assert system[NameService].names() == ("plotter",)
        system[NameService].publish("printer", b"mine now")


def test_there_is_a_limit(kernel: Kernel) -> None:
    with kernel.boot(NameService, config={NameService: {"limit": 2}}) as system:
        names = system[NameService]
        names.publish("a", b"")
        names.publish("b", b"")
        with pytest.raises(OSError, match="Too many open files"):
            names.publish("c", b"")
        names.publish("b", b"again")
        names.withdraw("a")
        names.publish("c", b"")


def test_who_comes_too_early_waits(kernel: Kernel) -> None:
    with kernel.boot(NameService) as system, system.user() as other, ThreadPoolExecutor(2) as pool:
        early = pool.submit(other[NameService].wait_for, "printer", 10.0)
        version = system[NameService].publish("printer", b"here")
        assert early.result(10).value == b"here"
        later = pool.submit(other[NameService].wait_for, "printer", 10.0, version)
        eventually(later.running)
        system[NameService].publish("plotter", b"another name")
        system[NameService].publish("printer", b"elsewhere")
        assert later.result(10).value == b"elsewhere"


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, 0.002])
def test_nobody_waits_for_ever(kernel: Kernel, seconds: float) -> None:
    with kernel.boot(NameService) as system, pytest.raises(TimeoutError, match="printer"):
        system[NameService].wait_for("printer", seconds)


def test_no_client_notices_that_it_was_killed() -> None:
    with boot("microkernel", NameService) as system, system.user() as other:
        names = system[NameService]
        assert other[NameService].publish("theirs", b"") == 0
        for number in range(1, 6):
            assert names.publish(f"name {number}", b"%d" % number) == number
            kill(NameService)
        names.withdraw("name 3")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(names.wait_for, "late", 60.0)
            kill(NameService)
            other[NameService].publish("late", b"!")
            assert waiting.result().value == b"!"
        other.close()
        eventually(lambda: "late" not in names.names(), "those of who left are gone")
        assert names.names() == ("name 1", "name 2", "name 4", "name 5")
