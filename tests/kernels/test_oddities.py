"""Odd surroundings and odd ends: nothing is lost, nobody else is harmed."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated

import pytest

from kernels import User, boot
from twinos import ContractError, KernelPanic, Region, Service, op, shared

ROOT = Path(__file__).parents[2]
LATE: list[str] = []


class Keeper(Service):
    def __init__(self, memory: Annotated[Region, shared]) -> None:
        memory.resize(4096)
        self._stopped = False

    @op
    def pid(self) -> int:
        return os.getpid()

    @op
    def work(self) -> None:
        if self._stopped:
            LATE.append("done after the end")

    def _stopping(self) -> None:
        self._stopped = True


def give(_user: User, status: int) -> int:
    return status


def hammer(keeper: Keeper) -> None:
    try:
        while True:
            keeper.work()
    except KernelPanic:
        return


def run(script: str) -> str:
    text = "from tests.kernels.test_oddities import Keeper\nfrom kernels import boot\n" + script
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize(("returned", "status"), [(0, 0), (7, 7), (256, 1), (-1, 1), (2**40, 1)])
def test_a_failure_is_never_taken_for_success(returned: int, status: int) -> None:
    with boot("microkernel", Keeper) as system:
        assert system.process(give, returned).join(20) == status


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_a_grant_cannot_be_shrunk(kernel: str) -> None:
    with boot(kernel, Keeper) as system, system.user(uid=1000) as user:
        region = user.region(Keeper, "memory")
        with pytest.raises(PermissionError):
            os.ftruncate(region.descriptor, 0)
        region.close()


def test_names_that_the_kernels_use_are_refused() -> None:
    with pytest.raises(ContractError, match="such names are the kernels' own"):

        class Sly(Service):
            @op
            def f(self, _type: int) -> None: ...


def test_a_program_that_somebody_else_reaped() -> None:
    with boot("microkernel", Keeper) as system:
        process = system.process(give, 0)
        os.waitpid(process.pid, 0)


def test_nothing_is_acknowledged_after_the_end_has_begun() -> None:
    for _ in range(10):
        system = boot("monolithic", Keeper)
        threads = [threading.Thread(target=hammer, args=(system[Keeper],)) for _ in range(3)]
        for thread in threads:
            thread.start()
        system.close()
        for thread in threads:
            thread.join()
    assert LATE == []


def test_servers_are_restarted_where_child_signals_are_ignored() -> None:
    run(
        """
import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with boot("microkernel", Keeper) as system:
    first = system[Keeper].pid()
    os.kill(first, signal.SIGKILL)
    try:
        system[Keeper].pid()
    except ConnectionResetError:
        pass
    assert system[Keeper].pid() != first
"""
    )


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1), (0, 1, 2)])
@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_closed_standard_descriptors(kernel: str, closed: tuple[int, ...]) -> None:
    run(
        f"""
import os
for descriptor in {closed}:
    os.close(descriptor)
with boot({kernel!r}, Keeper) as system:
    system[Keeper].work()
os._exit(0)
"""
    )


def test_a_server_that_dies_again_and_again_still_comes_back() -> None:
    with boot("microkernel", Keeper) as system:
        for _ in range(9):
            os.kill(system[Keeper].pid(), 9)
            with pytest.raises(ConnectionResetError):
                system[Keeper].pid()
        assert system[Keeper].pid() != os.getpid()
