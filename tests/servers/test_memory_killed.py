"""Programs killed at every step of what they do with memory: nothing of theirs is left.

A step is a line of the code between a program and the kernel: its MMU, its lane, its stubs, its
pipes. So a program dies before a request is sent, between the request and the reply, in the middle
of an access with its lane raised, and everywhere else. There are thousands of steps in all;
here a part of them, spread evenly. All of them:

    TWINOS_MEMORY_KILLS=100000 pytest --timeout 0 tests/servers/test_memory_killed.py
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import pytest

from kernels import System, boot
from kernels.system import User
from servers.clock import Clock
from servers.filesystem import FileSystem
from servers.memory import (
    MADV_DONTNEED,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
    MemoryManager,
    SwapDisk,
)
from tests.conftest import eventually
from tests.servers.spaces import errno_of, new

PAGE: Final = 4096
FRAMES: Final = 6
KILLS: Final = int(os.environ.get("TWINOS_MEMORY_KILLS", "12"))
"""Steps of each program at which it is killed."""
STEPS: Final = "/steps"
BOTH: Final = PROT_READ | PROT_WRITE


def forks(user: User) -> None:
    """Fork, and write on both sides, with more pages than there are frames."""
    space = new(user)
    place = space.mmap(5 * PAGE)
    space.store(place, b"p" * 5 * PAGE)
    child = space.fork()
    child.store(place + PAGE - 2, b"c" * PAGE)
    space.store(place, b"q" * 2 * PAGE)
    child.close()


def arranges(user: User) -> None:
    """Map over, protect, discard, lock, grow the heap and unmap."""
    space = new(user)
    place = space.mmap(6 * PAGE)
    space.store(place, b"x" * 4 * PAGE)
    space.mlock(place, 2 * PAGE)
    space.mprotect(place + PAGE, PAGE, PROT_READ)
    space.madvise(place + 3 * PAGE, PAGE, MADV_DONTNEED)
    heap = space.sbrk(2 * PAGE)
    space.store(heap, b"h" * 2 * PAGE)
    space.munmap(place + PAGE, 2 * PAGE)


def shares(user: User) -> None:
    """Map shared memory that has a name, alone and with a copy of the space."""
    memory = user[MemoryManager]
    space = new(user)
    fd = memory.shm_open("/killed", os.O_RDWR | os.O_CREAT)
    memory.shm_truncate(fd, 4 * PAGE)
    place = space.mmap(4 * PAGE, BOTH, MAP_SHARED, fd=fd)
    private = space.mmap(2 * PAGE, BOTH, MAP_PRIVATE, fd=fd)
    space.store(place, b"s" * 4 * PAGE)
    space.store(private, b"o" * 2 * PAGE)
    child = space.fork()
    child.store(place, b"t" * 2 * PAGE)
    memory.shm_truncate(fd, PAGE)
    memory.shm_close(fd)


def maps_a_file(user: User) -> None:
    """Map a file, shared and private, store to both, and have it on the disk."""
    files = user[FileSystem]
    space = new(user)
    fd = files.open("/file", os.O_RDWR)
    place = space.mmap(4 * PAGE, BOTH, MAP_SHARED, fd=fd)
    private = space.mmap(4 * PAGE, BOTH, MAP_PRIVATE, fd=fd)
    space.store(place, b"f" * 4 * PAGE)
    space.store(private, b"g" * 4 * PAGE)
    space.msync(place, 4 * PAGE)
    space.load(place, 4 * PAGE)


PROGRAMS: Final = (forks, arranges, shares, maps_a_file)


def stepping(program: Callable[[User], None], user: User, last: int) -> int:
    """Run a program, and kill this process at a step; how many there were, if it comes that far."""
    taken = 0

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal taken
        name = frame.f_code.co_filename
        if event == "call" and "/kernels/" not in name and "/servers/memory/" not in name:
            return None
        taken += event == "line"
        if taken == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return step

    sys.settrace(step)
    try:
        program(user)
    finally:
        sys.settrace(None)
    return taken


def killed_at(user: User, program: int, step: int) -> None:
    """A program that is killed at a step, or, if it takes fewer, says how many it takes."""
    taken = stepping(PROGRAMS[program], user, step)
    files = user[FileSystem]
    fd = files.open(STEPS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    files.write(fd, str(taken).encode())
    files.close(fd)


def steps_of(system: System, program: int) -> int:
    assert system.process(killed_at, program, -1).join(60) == 0
    files = system[FileSystem]
    fd = files.open(STEPS, os.O_RDONLY)
    taken = int(files.read(fd, 20))
    files.close(fd)
    return taken


@pytest.mark.parametrize("program", range(len(PROGRAMS)), ids=[one.__name__ for one in PROGRAMS])
@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_a_program_killed_at_any_step_leaves_nothing(kernel: str, program: int) -> None:
    config = {MemoryManager: {"pages": FRAMES}, SwapDisk: {"blocks": 64}, FileSystem: {"mapped": 3}}
    with boot(kernel, MemoryManager, Clock, config=config, users="process") as system:
        memory, files = system[MemoryManager], system[FileSystem]
        files.write(files.open("/file", os.O_WRONLY | os.O_CREAT), b"." * 4 * PAGE)
        before = memory.meminfo()
        taken = steps_of(system, program)
        assert taken > 200
        errno_of(memory.shm_unlink, "/killed")
        for step in range(1, taken + 1, max(1, taken // KILLS)):
            assert system.process(killed_at, program, step).join(30) == -signal.SIGKILL
            errno_of(memory.shm_unlink, "/killed")  # a name stays, as on Linux
            what = f"all is back, killed at step {step} of {taken}"
            eventually(lambda: memory.meminfo() == before, what)
        with new(system) as space:  # and what there is can be used
            place = space.mmap(20 * PAGE)
            space.store(place, b"all" * PAGE)
            assert space.load(place, 3 * PAGE) == b"all" * PAGE
