"""Kills in each situation that there is: a client with a grant, two services, one that recovers."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from kernels import System, boot
from lab.kills.campaign import kill_kernel, write_for_ever
from lab.kills.census import Census, count
from lab.kills.client import Client
from lab.kills.files import FileClient
from lab.kills.killing import kill, never_given_up
from lab.kills.memory import FRAMES, MemoryClient
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import MemoryManager, SwapDisk
from tests.conftest import eventually

SERVICES = ("FileSystem", "MemoryManager", "Disk", "SwapDisk")
ROUNDS = 3


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    victims = (FileSystem, MemoryManager, Disk, SwapDisk)
    config = {MemoryManager: {"pages": FRAMES}, SwapDisk: {"blocks": 256}}
    with never_given_up(victims), boot("microkernel", MemoryManager, config=config) as booted:
        at_work(booted, lambda: [kill(booted, name) for name in SERVICES])
        yield booted


def is_well(system: System, killed: int = 0) -> bool:
    return all(each.state == "running" and each.pid != killed for each in system.status())


def nobody_notices(system: System, strike: Callable[[], object]) -> None:
    """Strike while clients work; they see nothing, and when they have left nothing is left."""
    eventually(lambda: is_well(system), "all services run")
    killed = kill(system, "MemoryManager")  # the last to begin has its channels open
    eventually(lambda: is_well(system, killed), "all services run")
    system[FileSystem].mkdir("/reaches the disk")
    system[FileSystem].sync()
    system[FileSystem].rmdir("/reaches the disk")
    memory = system[MemoryManager].meminfo()
    before = count(system)
    at_work(system, strike)
    eventually(lambda: system[MemoryManager].meminfo() == memory, "memory is as it was")
    eventually(lambda: not grown(before, count(system)), "nothing is left over")


def at_work(system: System, strike: Callable[[], object]) -> None:
    eventually(lambda: is_well(system), "all services run")
    name = f"client-{time.monotonic_ns()}"
    clients: list[Client] = [FileClient(system, name, "1"), MemoryClient(system, "1")]
    for _ in range(ROUNDS):
        time.sleep(0.03)
        strike()
        eventually(lambda: is_well(system), "all services run")
    for client in clients:
        client.end()
    assert [sentence for client in clients for sentence in client.wrong()] == []
    assert all(client.requests for client in clients)
    for client in clients:
        client.leave()


def grown(then: Census, now: Census) -> bool:
    return any(one < other for one, other in zip(then, now, strict=True))


@pytest.mark.parametrize("pair", list(itertools.combinations(SERVICES, 2)), ids="+".join)
def test_two_services_at_once(system: System, pair: tuple[str, str]) -> None:
    def strike() -> None:
        for name in pair:
            kill(system, name)

    nobody_notices(system, strike)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_while_it_recovers(system: System, name: str) -> None:
    def strike() -> None:
        kill(system, name)
        for pause in (0.002, 0.005):
            time.sleep(pause)
            kill(system, name)

    nobody_notices(system, strike)


def test_a_client_in_the_middle_of_a_grant(system: System) -> None:
    def strike() -> None:
        client = system.process(write_for_ever)
        time.sleep(0.05)
        client.kill()
        client.join()

    nobody_notices(system, strike)


def test_a_client_in_the_middle_of_a_grant_and_its_service(system: System) -> None:
    def strike() -> None:
        client = system.process(write_for_ever)
        time.sleep(0.05)
        os.kill(next(s.pid for s in system.status() if "FileSystem" in s.services), signal.SIGKILL)
        client.kill()
        client.join()

    nobody_notices(system, strike)


def test_the_kernels_own_process() -> None:
    assert kill_kernel(5) == ()
