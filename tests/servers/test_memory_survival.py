"""What the memory manager has acknowledged outlives it."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kernels import System, boot
from kernels.stablestore import MOST
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import MAP_SHARED, PROT_READ, PROT_WRITE, MemoryManager, SwapDisk
from tests.servers.spaces import errno_of, new
from twinos import ServerDied

ROOT = Path(__file__).parents[2]
PAGE = 4096
STRIDE = 1201


def kill(system: System, name: str = "MemoryManager") -> None:
    for server in system.status():
        if name in server.services:
            os.kill(server.pid, signal.SIGKILL)


def test_killed_at_each_line_nobody_notices() -> None:
    """Every line: `python -m tests.servers.crashing_memory 1 100000 1`."""
    command = [sys.executable, "-m", "tests.servers.crashing_memory", "40", "100000", str(STRIDE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 12


def test_many_changes_become_one_state() -> None:
    """So many that the journal begins anew, with spaces, names and descriptors of several users."""
    with boot("microkernel", MemoryManager) as system, system.user(uid=7) as user:
        memory, theirs = system[MemoryManager], user[MemoryManager]
        space, other = new(system.user()), new(user)
        fd = theirs.shm_open("/kept", os.O_RDWR | os.O_CREAT, 0o640)
        theirs.shm_truncate(fd, 3 * PAGE)
        place = other.mmap(3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd=fd)
        other.store(place, b"shared")
        for _ in range(MOST // 2 + 10):
            space.munmap(space.mmap(PAGE), PAGE)
        other.setrlimit(9, 1 << 30, 1 << 31)
        child = other.fork()
        before = memory.meminfo(), other.maps(), child.maps(), other.statm(), memory.vmstat()
        kill(system)
        assert (
            memory.meminfo(),
            other.maps(),
            child.maps(),
            other.statm(),
            memory.vmstat(),
        ) == before
        child.store(place, b"SHARED")
        assert other.load(place, 6) == b"SHARED"
        assert child.getrlimit(9) == (1 << 30, 1 << 31)
        assert theirs.shm_size(fd) == 3 * PAGE
        assert (
            errno_of(memory.shm_open, "/kept", os.O_RDWR | os.O_EXCL | os.O_CREAT) == errno.EEXIST
        )
        number = child.number
        child.close()
        kill(system)
        assert errno_of(theirs.maps, number) == errno.ESRCH
        assert theirs.create() > number


@pytest.mark.parametrize("later", [False, True], ids=["the last change", "not the last"])
def test_who_was_killed_for_memory_stays_so(later: bool) -> None:
    config: Any = {MemoryManager: {"pages": 8, "overcommit": True}, SwapDisk: {"blocks": 4}}
    with boot("microkernel", MemoryManager, config=config) as system:
        large, small = new(system.user()), new(system.user())
        place, other = large.mmap(64 * PAGE), small.mmap(64 * PAGE)
        large.store(place, b"x" * 8 * PAGE)
        small.store(other, b"y" * 8 * PAGE)
        if later:
            small.mmap(PAGE)
        before = system[MemoryManager].kills(), system[MemoryManager].vmstat()
        assert [each.space for each in before[0]] == [large.number]
        kill(system)
        assert (system[MemoryManager].kills(), system[MemoryManager].vmstat()) == before
        with pytest.raises(ProcessLookupError, match="out of memory"):
            large.maps()
        assert small.load(other, 8 * PAGE) == b"y" * 8 * PAGE


@pytest.mark.parametrize(
    "options",
    [
        {"transport": "ring", "fresh": True},
        {"transport": "routed", "users": "process"},
        {"kernel": "hybrid", "groups": [(FileSystem, Disk)]},
        {"scheduler": "rr"},
    ],
    ids=["ring, fresh", "routed, processes", "hybrid", "scheduled"],
)
def test_it_survives_wherever_it_is_alone(options: Any) -> None:
    config: Any = {MemoryManager: {"pages": 8}, SwapDisk: {"blocks": 64}}
    given = {"kernel": "microkernel", "config": config} | options
    with boot(given.pop("kernel"), MemoryManager, **given) as system:
        space = new(system.user())
        place = space.mmap(20 * PAGE)
        for page in range(20):
            space.store(place + page * PAGE, b"%d" % page)
            if page % 5 == 4:
                kill(system)
        child = space.fork()
        kill(system)
        assert [int(child.load(place + n * PAGE, 2).rstrip(b"\0")) for n in range(20)] == [
            *range(20)
        ]
        assert space.maps() == child.maps()


def test_in_company_it_begins_anew_and_says_so() -> None:
    groups = [(FileSystem, MemoryManager)]
    with boot("hybrid", MemoryManager, groups=groups) as system:
        space = new(system.user())
        kill(system)
        with pytest.raises(ServerDied):
            space.mmap(PAGE)
        assert errno_of(space.mmap, PAGE) == errno.ESRCH


def test_without_stability_a_loss_is_told() -> None:
    with boot("microkernel", MemoryManager, stable=False) as system:
        space = new(system.user())
        place = space.mmap(PAGE)
        kill(system)
        with pytest.raises(ServerDied):
            space.munmap(place, PAGE)
        assert errno_of(space.munmap, place, PAGE) == errno.ESRCH
