"""MemoryManager is killed at each line of its code that a script comes by, in turn; nobody notices.

    python -m tests.servers.crashing_memory FIRST LAST BY

In a process of its own: what is patched here, the servers get by fork.
"""

import errno
import mmap
import os
import signal
import struct
import sys
import threading
from types import FrameType
from typing import Any, Final

import pytest

from kernels import boot
from kernels.system import System, User
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import (
    MADV_DONTNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
    RLIMIT_AS,
    BusError,
    MemoryInfo,
    MemoryManager,
    SegmentationFault,
    SwapDisk,
    state,
)
from servers.memory.machine import build
from tests.servers.spaces import errno_of, new
from twinos import Supervision

PAGE: Final = 4096
BOTH: Final = PROT_READ | PROT_WRITE
FRAMES: Final = 7
SETTINGS: Final[Any] = {
    MemoryManager: {"pages": FRAMES, "page_tables": 64},
    SwapDisk: {"blocks": 64},
    FileSystem: {"mapped": 3},
}
_CELL: Final = struct.Struct("<q")
_left: Final = mmap.mmap(-1, _CELL.size)
_COUNTED: Final = ("/servers/memory/", "/kernels/recorder.py", "/kernels/stablestore.py")


def left() -> int:
    """Lines until the kill; 0: it has been."""
    return int(_CELL.unpack_from(_left)[0])


def arm(lines: int) -> None:
    """Have the memory manager killed at this line."""
    _CELL.pack_into(_left, 0, lines)


def _trace(frame: FrameType, event: str, _: Any) -> Any:
    if event == "call" and not any(part in frame.f_code.co_filename for part in _COUNTED):
        return None
    if event == "line":
        lines = left()
        if lines > 0:
            arm(lines - 1)
            if lines == 1:
                if os.environ.get("SHOW"):
                    import traceback

                    traceback.print_stack(frame)
                os.kill(os.getpid(), signal.SIGKILL)
    return _trace


def _build_traced(*arguments: Any, **named: Any) -> Any:
    threading.settrace(_trace)  # for the threads that serve, which begin later
    return build(*arguments, **named)


def private_pages(user: User) -> None:
    """More than there are frames, copied on write, with holes, locks and protections."""
    space = new(user)
    place = space.mmap(6 * PAGE)
    for page in range(6):
        space.store(place + page * PAGE, b"%d" % page * PAGE)
    child = space.fork()
    child.store(place + PAGE - 2, b"cccc")
    space.store(place + 2 * PAGE, b"q" * PAGE)
    found = space.load(place, 6 * PAGE)[::PAGE]
    assert found == b"01q345", found
    assert child.load(place + PAGE - 4, 6) == b"00cccc"
    assert child.load(place + 2 * PAGE, 4 * PAGE) == b"".join(
        b"%d" % n * PAGE for n in (2, 3, 4, 5)
    )
    space.mlock(place, 2 * PAGE)
    assert space.statm().locked == 2
    space.mprotect(place + PAGE, PAGE, PROT_READ)
    with pytest.raises(SegmentationFault):
        space.store(place + PAGE, b"?")
    assert errno_of(space.mprotect, place + 5 * PAGE, 2 * PAGE, PROT_READ) == errno.ENOMEM
    with pytest.raises(SegmentationFault):
        space.store(place + 5 * PAGE, b"?")
    space.madvise(place + 3 * PAGE, PAGE, MADV_DONTNEED)
    assert space.load(place + 3 * PAGE - 1, 2) == b"q\0"
    space.munmap(place + PAGE, PAGE)
    space.mmap(PAGE, BOTH, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, place + 4 * PAGE)
    assert space.load(place + 4 * PAGE, PAGE) == bytes(PAGE)
    assert [(a.start - place) // PAGE for a in space.maps()] == [0, 2, 5]
    child.close()
    space.close()


def heap_stack_limits(user: User) -> None:
    """What grows, and what may not."""
    space = new(user)
    heap = space.sbrk(2 * PAGE)
    space.store(heap + PAGE, b"heap")
    space.sbrk(-PAGE)
    assert space.brk() == heap + PAGE
    with pytest.raises(SegmentationFault):
        space.load(heap + PAGE, 4)
    stack = space.mmap(PAGE, BOTH, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN)
    space.store(stack - 2 * PAGE, b"deep")
    assert space.statm().size == 4
    space.setrlimit(RLIMIT_AS, 4 * PAGE)
    assert errno_of(space.mmap, PAGE) == errno.ENOMEM
    child = space.fork()
    assert child.getrlimit(RLIMIT_AS).soft == 4 * PAGE
    assert child.load(stack - 2 * PAGE, 4) == b"deep"
    space.close()
    assert child.brk() == heap + PAGE
    child.close()


def shared_memory(user: User) -> None:
    """Zeros that are shared, and shared memory that has a name, and becomes shorter."""
    memory, space = user[MemoryManager], new(user)
    zeros = space.mmap(3 * PAGE, BOTH, MAP_SHARED | MAP_ANONYMOUS)
    child = space.fork()
    child.store(zeros, b"z" * 3 * PAGE)
    fd = memory.shm_open("/crashing", os.O_RDWR | os.O_CREAT)
    memory.shm_truncate(fd, 4 * PAGE)
    place = space.mmap(4 * PAGE, BOTH, MAP_SHARED, fd=fd)
    own = child.mmap(4 * PAGE, BOTH, MAP_PRIVATE, fd=fd)
    space.store(place, b"s" * 4 * PAGE)
    child.store(own + PAGE - 1, b"own")
    assert space.load(zeros, 3 * PAGE) == b"z" * 3 * PAGE
    assert child.load(own + PAGE - 2, 5) == b"sowns"
    memory.shm_truncate(fd, PAGE + 10)
    assert child.load(own + PAGE - 2, 5) == b"sowns"
    with pytest.raises(BusError):
        child.load(own + 2 * PAGE, 1)
    memory.shm_truncate(fd, 2 * PAGE)
    assert space.load(place + PAGE, 12) == b"s" * 10 + b"\0\0"
    memory.shm_close(fd)
    memory.shm_unlink("/crashing")
    assert errno_of(memory.shm_open, "/crashing", os.O_RDWR) == errno.ENOENT
    space.munmap(zeros, 3 * PAGE)
    assert child.load(zeros, 3) == b"zzz"
    space.close()
    child.close()


def files(user: User) -> None:
    """A file, shared and copied, that becomes shorter."""
    fs, space = user[FileSystem], new(user)
    fd = fs.open("/crashing", os.O_RDWR | os.O_CREAT)
    fs.write(fd, b"." * 4 * PAGE)
    place = space.mmap(4 * PAGE, BOTH, MAP_SHARED, fd=fd)
    own = space.mmap(4 * PAGE, BOTH, MAP_PRIVATE, fd=fd)
    for page in range(4):
        space.store(place + page * PAGE, b"%d" % page)
    space.store(own + 3 * PAGE, b"own")
    space.store(own, b"mine")
    assert fs.pread(fd, 4 * PAGE, 0)[::PAGE] == b"0123"
    space.msync(place, 4 * PAGE)
    assert space.load(own + 2 * PAGE, 2) == b"2."
    fs.ftruncate(fd, 2 * PAGE)
    with pytest.raises(BusError):
        space.load(own + 3 * PAGE, 1)
    with pytest.raises(BusError):
        space.load(place + 2 * PAGE, 1)
    assert space.load(own, 5) == b"mine."
    space.munmap(place, 4 * PAGE)
    fs.close(fd)
    fs.unlink("/crashing")
    assert space.load(own + PAGE, 2) == b"1."
    space.close()


SCRIPTS: Final = (private_pages, heap_stack_limits, shared_memory, files)


def everything(system: System) -> tuple[MemoryInfo, int]:
    """What there is of memory, and of the disk."""
    system[FileSystem].sync()
    return system[MemoryManager].meminfo(), system[FileSystem].statvfs("/").f_bfree


def main(first: int, last: int, by: int) -> int:
    """Run the scripts, killed at line `first`, and so on; how many kills there were."""
    for service in (MemoryManager, FileSystem, SwapDisk, Disk):
        service.__supervision__ = Supervision(at_once=10**6, most=10**6)
    state.build = _build_traced
    kills = 0
    with boot("microkernel", MemoryManager, config=SETTINGS) as system, system.user() as user:
        for script in SCRIPTS:
            script(user)
            before = everything(system)
            for lines in range(first, last, by):
                arm(lines)
                try:
                    script(user)
                except BaseException as error:
                    error.add_note(f"{script.__name__}, killed at line {lines}")
                    raise
                unused = left()
                arm(0)
                now = everything(system)
                assert now == before, f"{script.__name__}, killed at line {lines}: {now}, {before}"
                if unused:
                    break
                kills += 1
    return kills


if __name__ == "__main__":
    print(main(*map(int, sys.argv[1:4])))  # noqa: T201 (what it was asked for)
