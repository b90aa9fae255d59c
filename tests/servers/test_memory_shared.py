"""Memory that is shared by name, under both kernels."""

import errno
import os
from collections.abc import Iterator

import pytest

from kernels import System, boot
from kernels.system import User
from servers.clock import Clock
from servers.memory import (
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
    BusError,
    MemoryManager,
    SegmentationFault,
    SwapDisk,
)
from tests.conftest import eventually
from tests.servers.spaces import errno_of, new

PAGE = 4096
BOTH = PROT_READ | PROT_WRITE
CREATE = os.O_RDWR | os.O_CREAT
FRAMES = 6
SLOTS = 32
CONFIG = {MemoryManager: {"pages": FRAMES}, SwapDisk: {"blocks": SLOTS}}


@pytest.fixture(params=["monolithic", "microkernel"], scope="module")
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with boot(request.param, MemoryManager, config=CONFIG) as system:
        yield system


@pytest.fixture
def memory(system: System) -> Iterator[MemoryManager]:
    """When the test is over, nothing may be missing."""
    memory = system[MemoryManager]
    before = memory.meminfo()
    yield memory
    assert memory.meminfo() == before


def test_two_users_share_what_has_a_name(system: System, memory: MemoryManager) -> None:
    with system.user() as one, system.user() as other:
        first = one[MemoryManager].shm_open("/shared", CREATE)
        one[MemoryManager].shm_truncate(first, 10 * PAGE)
        second = other[MemoryManager].shm_open("/shared", os.O_RDWR)
        with new(one) as ours, new(other) as theirs:
            here = ours.mmap(10 * PAGE, BOTH, MAP_SHARED, fd=first)
            there = theirs.mmap(9 * PAGE, BOTH, MAP_SHARED, fd=second, offset=PAGE)
            for page in range(10):  # more than there are frames
                ours.store_u64(here + page * PAGE, page + 1)
            assert [theirs.load_u64(there + page * PAGE) for page in range(9)] == [*range(2, 11)]
            theirs.store(there, b"answer")
            assert ours.load(here + PAGE, 6) == b"answer"
            private = theirs.mmap(PAGE, BOTH, MAP_PRIVATE, fd=second, offset=PAGE)
            theirs.store(private, b"mine")
            assert ours.load(here + PAGE, 6) == b"answer"
        memory.shm_unlink("/shared")


def test_it_lives_as_long_as_anybody_has_it(system: System, memory: MemoryManager) -> None:
    with system.user() as user:
        mine = user[MemoryManager]
        fd = mine.shm_open("/brief", CREATE | os.O_EXCL)
        mine.shm_truncate(fd, PAGE)
        space = new(user)
        place = space.mmap(PAGE, BOTH, MAP_SHARED, fd=fd)
        space.store(place, b"x")
        mine.shm_unlink("/brief")
        assert errno_of(mine.shm_open, "/brief", os.O_RDWR) == errno.ENOENT
        mine.shm_close(fd)
        assert space.load(place, 1) == b"x"
        assert memory.meminfo().committed == 1
        space.munmap(place, PAGE)
        assert memory.meminfo().committed == 0
        fd = mine.shm_open("/kept", CREATE)
        mine.shm_truncate(fd, PAGE)
        space.store(space.mmap(PAGE, BOTH, MAP_SHARED, fd=fd), b"kept")
    with system.user() as user, new(user) as space:
        fd = user[MemoryManager].shm_open("/kept", os.O_RDONLY)
        assert space.load(space.mmap(PAGE, PROT_READ, MAP_SHARED, fd=fd), 4) == b"kept"
    memory.shm_unlink("/kept")


def test_beyond_its_end_there_is_nothing(system: System, memory: MemoryManager) -> None:
    del memory
    with system.user() as user, new(user) as space:
        mine = user[MemoryManager]
        fd = mine.shm_open("/cut", CREATE)
        place = space.mmap(3 * PAGE, BOTH, MAP_SHARED, fd=fd)
        with pytest.raises(BusError):
            space.load(place, 1)
        mine.shm_truncate(fd, 2 * PAGE)
        space.store(place, b"x" * 2 * PAGE)
        mine.shm_truncate(fd, PAGE + 10)
        assert mine.shm_size(fd) == PAGE + 10
        assert space.load(place + PAGE, 20) == b"x" * 10 + bytes(10)
        mine.shm_truncate(fd, 5)
        with pytest.raises(BusError):
            space.store(place + PAGE, b"y")
        mine.shm_truncate(fd, 3 * PAGE)
        assert space.load(place, 3 * PAGE) == b"x" * 5 + bytes(3 * PAGE - 5)
        assert errno_of(mine.shm_truncate, fd, 1 << 40) == errno.ENOMEM
        assert mine.shm_size(fd) == 3 * PAGE
        mine.shm_open("/cut", os.O_RDWR | os.O_TRUNC)
        assert mine.shm_size(fd) == 0
        mine.shm_unlink("/cut")


def test_errors(system: System, memory: MemoryManager) -> None:
    del memory
    with system.user(uid=1, gid=1) as user, system.user(uid=2, gid=2) as other, new(user) as space:
        mine, theirs = user[MemoryManager], other[MemoryManager]
        for name in ("", "/", "x", "/a/b", "/..", "/\0"):
            assert errno_of(mine.shm_open, name, CREATE) == errno.EINVAL
        assert errno_of(mine.shm_open, "/" + "n" * 255, CREATE) == errno.ENAMETOOLONG
        assert errno_of(mine.shm_open, "/none", os.O_RDWR) == errno.ENOENT
        for flags in (os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_APPEND):
            assert errno_of(mine.shm_open, "/flags", flags) == errno.EINVAL
        fd = mine.shm_open("/mine", CREATE, 0o640)
        assert errno_of(mine.shm_open, "/mine", CREATE | os.O_EXCL) == errno.EEXIST
        assert errno_of(theirs.shm_open, "/mine", os.O_RDONLY) == errno.EACCES
        assert errno_of(theirs.shm_unlink, "/mine") == errno.EACCES
        with system.user(uid=3, gid=3, groups=(1,)) as friend:
            assert errno_of(friend[MemoryManager].shm_open, "/mine", os.O_RDONLY) is None
            assert errno_of(friend[MemoryManager].shm_open, "/mine", os.O_RDWR) == errno.EACCES
        seen = mine.shm_open("/mine", os.O_RDONLY)
        assert errno_of(mine.shm_truncate, seen, PAGE) == errno.EINVAL
        assert errno_of(mine.shm_truncate, fd, -1) == errno.EINVAL
        mine.shm_truncate(fd, PAGE)
        assert errno_of(space.mmap, PAGE, BOTH, MAP_SHARED, 0, seen) == errno.EACCES
        place = space.mmap(PAGE, PROT_READ, MAP_SHARED, 0, seen)
        assert errno_of(space.mprotect, place, PAGE, BOTH) == errno.EACCES
        with pytest.raises(SegmentationFault):
            space.store(place, b"x")
        assert errno_of(theirs.shm_size, fd) == errno.EBADF
        assert errno_of(mine.shm_close, 3) == errno.EBADF
        assert errno_of(space.mmap, PAGE, BOTH, MAP_SHARED, 0, fd + 99) == errno.EBADF
        mine.shm_unlink("/mine")
        assert errno_of(mine.shm_unlink, "/mine") == errno.ENOENT


def test_names_and_descriptors_are_not_without_end(system: System, memory: MemoryManager) -> None:
    with system.user(uid=5) as user, system.user(uid=6) as other:
        mine = user[MemoryManager]
        fds = [mine.shm_open("/many", CREATE) for _ in range(1024)]
        assert sorted(fds) == fds == list(range(fds[0], fds[0] + 1024))
        assert errno_of(mine.shm_open, "/many", CREATE) == errno.EMFILE
        mine.shm_close(fds[7])
        assert mine.shm_open("/many", CREATE) == fds[7]
        for fd in fds:
            mine.shm_close(fd)
        for number in range(1023):
            mine.shm_close(mine.shm_open(f"/{number}", CREATE))
        assert errno_of(mine.shm_open, "/more", CREATE) == errno.ENOSPC
        other[MemoryManager].shm_close(other[MemoryManager].shm_open("/theirs", CREATE))
        mine.shm_unlink("/0")
        mine.shm_close(mine.shm_open("/more", CREATE))
    for name in ["many", "more", "theirs", *range(1, 1023)]:
        memory.shm_unlink(f"/{name}")


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_programs_count_together(kernel: str) -> None:
    with boot(kernel, MemoryManager, Clock, config=CONFIG, users="process") as system:
        memory = system[MemoryManager]
        before = memory.meminfo()
        fd = memory.shm_open("/counters", CREATE)
        memory.shm_truncate(fd, 8 * PAGE)
        programs = [system.process(count, number) for number in range(3)]
        assert [program.join(60) for program in programs] == [0, 0, 0]
        with new(system) as space:
            place = space.mmap(8 * PAGE, PROT_READ, MAP_SHARED, fd=fd)
            assert [space.load_u64(place + number * PAGE) for number in range(4)] == [
                100, 100, 100, 0
            ]  # fmt: skip
        memory.shm_close(fd)
        memory.shm_unlink("/counters")
        eventually(lambda: memory.meminfo() == before, "all have departed")


def count(user: User, number: int) -> None:
    """A program that counts to 100 in its page."""
    memory = user[MemoryManager]
    with new(user) as space:
        fd = memory.shm_open("/counters", os.O_RDWR)
        place = space.mmap(8 * PAGE, BOTH, MAP_SHARED, fd=fd) + number * PAGE
        other = space.mmap(4 * PAGE)
        for step in range(100):
            space.store_u64(place, space.load_u64(place) + 1)
            space.store(other + step % 4 * PAGE, b"x")
