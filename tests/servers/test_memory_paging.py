"""Paging, promises, limits, locks and stacks, under every kernel and by every policy."""

import errno
import mmap
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kernels import System, boot
from kernels.system import User
from lab.paging import faults
from lab.references import PATTERNS
from servers.clock import Clock
from servers.memory import (
    MADV_WILLNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_LOCKED,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    RLIM_INFINITY,
    RLIMIT_AS,
    RLIMIT_MEMLOCK,
    RLIMIT_RSS,
    RLIMIT_STACK,
    AddressSpace,
    MemoryManager,
    SwapDisk,
)
from servers.memory.layout import (
    HEADER_SPACES,
    LANE_BUSY,
    LANE_SHIFT,
    SLOT_LANES,
    slot_word,
)
from servers.memory.policies import policies
from tests.conftest import eventually
from tests.servers.spaces import NoFiles, alone, errno_of, new, nothing_is_missing
from twinos import Caller, Region

PAGE = 4096
PLACE = 0x4000_0000
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS
REAL = [name for name, policy in policies().items() if not policy.clairvoyant]
KERNELS = pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])


@contextmanager
def machine(kernel: str, pages: int, slots: int = 256, **settings: object) -> Iterator[System]:
    config = {MemoryManager: {"pages": pages, **settings}, SwapDisk: {"blocks": slots}}
    with boot(kernel, MemoryManager, Clock, config=config) as system:
        yield system


# Paging.


@KERNELS
@pytest.mark.parametrize("policy", REAL)
def test_a_real_run_faults_as_often_as_the_simulator(kernel: str, policy: str) -> None:
    references = PATTERNS["locality"](random.Random(5), 12, 300)
    with machine(kernel, 5, policy=policy, seed=9, quantum=0) as system, new(system) as space:
        memory = system[MemoryManager]
        place = space.mmap(12 * PAGE)
        for page in references:
            space.load(place + page * PAGE, 1)
            memory.tick()
        assert memory.vmstat().brought == faults(policies()[policy](5, 9), references)


@KERNELS
def test_one_frame_is_enough(kernel: str) -> None:
    with machine(kernel, 1) as system, new(system) as space:
        place = space.mmap(5 * PAGE)
        for page in range(5):
            space.store_u32(place + page * PAGE, page)
        with space.fork() as child:
            child.store(place + PAGE - 2, b"ours")
            space.store(place + PAGE - 2, b"mine")
            assert child.load(place + PAGE - 2, 4) == b"ours"
        assert [space.load_u32(place + page * PAGE) for page in (0, 2, 3, 4)] == [0, 2, 3, 4]
        assert space.load(place + PAGE - 2, 4) == b"mine"


def test_what_was_never_written_is_never_written_to_the_disk() -> None:
    with machine("monolithic", 4) as system, new(system) as space:
        memory = system[MemoryManager]
        place = space.mmap(20 * PAGE)
        assert space.load(place, 20 * PAGE) == bytes(20 * PAGE)
        assert (memory.vmstat().evictions, memory.vmstat().written) == (16, 0)
        space.store(place, b"x")
        for _ in range(3):
            space.load(place, 20 * PAGE)
        assert memory.vmstat().written == 1  # its slot keeps what it holds


def test_a_shared_page_comes_back_once_for_all_who_have_it() -> None:
    with machine("monolithic", 4) as system, new(system) as space:
        memory = system[MemoryManager]
        place = space.mmap(8 * PAGE)
        space.store(place, b"x" * 8 * PAGE)
        with space.fork() as child:
            space.load(place + 4 * PAGE, 4 * PAGE)
            major = memory.vmstat().major
            assert space.load(place, 1) == child.load(place, 1) == b"x"
            assert memory.vmstat().major == major + 1


def test_will_need_brings_back_what_there_is_room_for() -> None:
    with machine("monolithic", 6) as system, new(system) as space:
        place = space.mmap(6 * PAGE)
        other = space.mmap(6 * PAGE)
        space.store(place, b"x" * 6 * PAGE)
        space.store(other, b"y" * 6 * PAGE)
        space.munmap(other, 4 * PAGE)
        space.madvise(place, 6 * PAGE, MADV_WILLNEED)
        assert space.mincore(place, 6 * PAGE).count(1) == 4
        major = space.statm().major
        space.load(place, 4 * PAGE)
        assert space.statm().major == major


@KERNELS
def test_a_page_is_not_taken_from_an_mmu_in_the_middle_of_an_access(kernel: str) -> None:
    with machine(kernel, 2, policy="fifo") as system, new(system) as space, new(system) as other:
        words = memoryview(system.region(MemoryManager, "tables").memory).cast("Q")
        lane = slot_word(space.number, words[HEADER_SPACES]) + SLOT_LANES + 3
        place, there = space.mmap(PAGE), other.mmap(3 * PAGE)
        space.store(place, b"x")
        major = space.statm().major
        words[lane] = os.getppid() << LANE_SHIFT | LANE_BUSY  # somebody who lives
        other.store(there, b"y" * 3 * PAGE)
        words[lane] = 0
        assert space.load(place, 1) == b"x"
        assert space.statm().major == major
        pid = os.posix_spawn("/bin/true", ["true"], {})
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        words[lane] = pid << LANE_SHIFT | LANE_BUSY  # somebody who died in it
        other.store(there, b"z" * 3 * PAGE)
        assert words[lane] == 0
        assert space.load(place, 1) == b"x"
        assert space.statm().major == major + 1
        os.waitpid(pid, 0)
        words.release()


def test_a_child_of_the_program_has_no_address_space() -> None:
    with machine("monolithic", 4) as system, new(system) as space:
        place = space.mmap(PAGE)
        space.store(place, b"parent")
        pid = os.fork()
        if not pid:
            try:
                space.store(place, b"child!")
            except BaseException:  # noqa: BLE001 (whatever it is, the child says so)
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert space.load(place, 6) == b"parent"


@KERNELS
def test_programs_page_each_other_out_and_keep_their_own(kernel: str) -> None:
    config = {MemoryManager: {"pages": 6}, SwapDisk: {"blocks": 256}}
    with boot(kernel, MemoryManager, config=config, users="process") as system:
        before = system[MemoryManager].meminfo()
        programs = [system.process(churn, seed) for seed in range(3)]
        assert [program.join(60) for program in programs] == [0, 0, 0]
        assert system[MemoryManager].vmstat().major > 50
        nothing_is_missing(system[MemoryManager], before)


def churn(user: User, seed: int) -> None:
    """A program that checks its own memory again and again."""
    lots = random.Random(seed)
    with new(user) as space:
        place = space.mmap(8 * PAGE)
        known = dict.fromkeys(range(8), 0)
        for number in range(400):
            page = lots.randrange(8)
            assert space.load_u64(place + page * PAGE + 8) == known[page]
            known[page] = number << 8 | seed
            space.store_u64(place + page * PAGE + 8, known[page])


@pytest.mark.parametrize("after", [1, 40, 150])
def test_a_program_killed_anywhere_leaves_no_frame_and_no_slot(after: int) -> None:
    config = {MemoryManager: {"pages": 6}, SwapDisk: {"blocks": 64}}
    with boot("microkernel", MemoryManager, Clock, config=config) as system:
        memory = system[MemoryManager]
        before = memory.meminfo()
        program = system.process(endless)
        eventually(lambda: memory.vmstat().brought >= after)
        program.kill()
        assert program.join(30) == -signal.SIGKILL
        nothing_is_missing(memory, before)


def endless(user: User) -> None:
    """A program that forks and writes for ever."""
    space = new(user)
    place = space.mmap(12 * PAGE)
    while True:
        space.store(place, b"x" * 12 * PAGE)
        with space.fork() as child:
            child.store(place + PAGE, b"y" * 4 * PAGE)


# A disk of its own.


def test_the_swap_area_may_be_in_a_file(tmp_path: os.PathLike[str]) -> None:
    image = os.path.join(tmp_path, "swap")
    config = {MemoryManager: {"pages": 2}, SwapDisk: {"image": image, "blocks": 8}}
    with boot("microkernel", MemoryManager, config=config) as system, new(system) as space:
        assert system[MemoryManager].meminfo().swap == 8
        place = space.mmap(4 * PAGE)
        space.store(place, b"paged out" * 1000)
        assert space.load(place, 9000) == b"paged out" * 1000
    with open(image, "rb") as file:
        assert b"paged out" in file.read()


def test_blocks_of_the_swap_disk_make_pages() -> None:
    regions = Region.create("frames"), Region.create("tables")
    for size, fits in ((512, True), (1024, True), (4096, True), (1000, False), (8192, False)):
        disk = SwapDisk(Region.create("swap"), blocks=64, block_size=size)
        if fits:
            memory = MemoryManager(*regions, disk, NoFiles(), pages=4)
            assert memory.meminfo().swap == 64 * size // PAGE
        else:
            with pytest.raises(OSError, match="blocks make pages"):
                MemoryManager(*regions, disk, NoFiles())


class BadDisk:
    """A disk of which some blocks can't be written, and some not be read."""

    def __init__(self) -> None:
        self.bad = self.torn = range(0)
        self._disk = SwapDisk(Region.create("swap"), blocks=16)
        self.geometry = self._disk.geometry

    def write(self, number: int, data: bytes) -> None:
        if number in self.bad:
            raise OSError(errno.EIO, "no such luck")
        self._disk.write(number, data)

    def read(self, number: int, count: int) -> bytes:
        if number in self.torn:
            raise OSError(errno.EIO, "no such luck")
        return self._disk.read(number, count)


def test_what_can_not_be_written_to_the_swap_disk_is_nobodys_loss() -> None:
    disk = BadDisk()
    regions = Region.create("frames"), Region.create("tables")
    memory: Any = MemoryManager(*regions, disk, NoFiles(), pages=4)  # type: ignore[arg-type]  # as good
    caller = Caller(1)
    before = memory.meminfo()
    number = memory.create(caller)
    place = memory.mmap(caller, number, 0, 12 * PAGE, 3, PRIVATE)

    def touch(page: int) -> int | None:
        return errno_of(memory.fault, caller, number, place + page * PAGE, PROT_WRITE)

    disk.bad = range(3)
    assert [touch(page) for page in range(10)] == [None] * 10
    disk.bad = range(16)
    assert touch(10) == errno.EIO
    assert memory.meminfo().free_swap == 10
    disk.bad = range(0)
    assert touch(10) is None
    disk.torn = range(16)
    assert touch(0) == errno.EIO
    disk.torn = range(0)
    assert touch(0) is None
    memory.destroy(caller, number)
    assert memory.meminfo() == before


@pytest.mark.parametrize("policy", ["optimal", "nonsense", ""])
def test_only_policies_that_can_be_had_are_taken(policy: str) -> None:
    with pytest.raises(OSError, match="no policy is called"):
        alone(policy=policy)


# Out of memory.


@KERNELS
def test_with_overcommitment_the_largest_goes_and_is_named(kernel: str) -> None:
    with machine(kernel, 4, slots=8, overcommit=True) as system:
        memory = system[MemoryManager]
        with system.user() as user:
            small, large = new(system), new(user)
            place = small.mmap(1 << 30)
            small.store(place, b"x" * 3 * PAGE)
            there = large.mmap(1 << 30)
            large.store(there, b"y" * 7 * PAGE)
            small.store(place + 3 * PAGE, b"x" * 3 * PAGE)
            assert [kill[:2] for kill in memory.kills()] == [(large.number, user.caller.id)]
            assert memory.vmstat().kills == 1
            with pytest.raises(ProcessLookupError, match="out of memory: address space") as caught:
                large.load(there, 1)
            assert f"address space {large.number} of user {user.caller.id} was" in str(caught.value)
            assert small.load(place, 6 * PAGE) == b"x" * 6 * PAGE
        with pytest.raises(ProcessLookupError, match="out of memory"):
            small.store(place, b"z" * 20 * PAGE)
        assert memory.meminfo().free_frames == 4


# Limits.


def test_limits_are_those_of_getrlimit() -> None:
    with machine("monolithic", 8) as system, system.user(uid=7) as user, new(user) as space:
        assert space.getrlimit(RLIMIT_AS) == (RLIM_INFINITY, RLIM_INFINITY)
        assert space.getrlimit(RLIMIT_STACK) == (8 << 20, RLIM_INFINITY)
        assert errno_of(space.getrlimit, 77) == errno.EINVAL
        assert errno_of(space.setrlimit, RLIMIT_AS, 2, 1) == errno.EINVAL
        assert errno_of(space.setrlimit, RLIMIT_AS, RLIM_INFINITY, 1) == errno.EINVAL
        space.setrlimit(RLIMIT_AS, 2 * PAGE, 4 * PAGE)
        assert errno_of(space.setrlimit, RLIMIT_AS, 2 * PAGE, 5 * PAGE) == errno.EPERM
        place = space.mmap(2 * PAGE)
        assert errno_of(space.mmap, 1) == errno.ENOMEM
        assert errno_of(space.sbrk, 1) == errno.ENOMEM
        assert errno_of(space.mmap, 3 * PAGE, 3, PRIVATE | MAP_FIXED, place) == errno.ENOMEM
        space.mmap(2 * PAGE, 3, PRIVATE | MAP_FIXED, place)
        with space.fork() as child:
            assert errno_of(child.mmap, 1) == errno.ENOMEM
        space.munmap(place, PAGE)
        space.sbrk(PAGE)


@KERNELS
def test_who_has_more_in_memory_than_allowed_pages_against_itself(kernel: str) -> None:
    with machine(kernel, 16) as system, new(system) as space, new(system) as other:
        theirs = other.mmap(4 * PAGE)
        other.store(theirs, b"y" * 4 * PAGE)
        space.setrlimit(RLIMIT_RSS, 3 * PAGE)
        place = space.mmap(8 * PAGE)
        space.store(place, b"x" * 8 * PAGE)
        assert space.statm().resident == 3
        assert space.load(place, 8 * PAGE) == b"x" * 8 * PAGE
        assert (space.statm().resident, space.statm().swapped) == (3, 5)
        assert other.statm().resident == 4
        assert other.statm().major == 0


def test_whoever_may_have_nothing_in_memory_still_gets_on() -> None:
    with machine("monolithic", 4, policy="ageing") as system, new(system) as space:
        place = space.mmap(4 * PAGE)
        space.setrlimit(RLIMIT_RSS, 0)
        for page in range(4):
            space.store(place + page * PAGE - (page > 0), b"xy")
        assert space.load(place, 2 * PAGE)[PAGE - 1 : PAGE + 1] == b"xy"


@KERNELS
def test_one_frame_is_enough_to_copy_what_is_shared_by_name(kernel: str) -> None:
    with machine(kernel, 1) as system, new(system) as space:
        memory = system[MemoryManager]
        fd = memory.shm_open("/one", os.O_RDWR | os.O_CREAT)
        memory.shm_truncate(fd, PAGE)
        shared = space.mmap(PAGE, 3, MAP_SHARED, fd=fd)
        space.store(shared, b"shared")
        own = space.mmap(PAGE, 3, MAP_PRIVATE, fd=fd)
        space.store(own + 6, b" and private")
        assert space.load(own, 18) == b"shared and private"
        assert space.load(shared, 18) == b"shared".ljust(18, b"\0")
        memory.shm_close(fd)
        memory.shm_unlink("/one")


def test_what_is_locked_stays() -> None:
    with machine("monolithic", 8) as system, new(system) as space:
        memory = system[MemoryManager]
        place = space.mmap(8 * PAGE)
        space.mlock(place + 1, PAGE)
        assert space.mincore(place, 3 * PAGE) == b"\1\1\0"
        space.store(place + 2 * PAGE, b"x" * 6 * PAGE)
        space.load(space.mmap(8 * PAGE), 8 * PAGE)
        assert space.mincore(place, 2 * PAGE) == b"\1\1"
        assert errno_of(space.mlock, place, 7 * PAGE) == errno.ENOMEM
        assert errno_of(space.mlock, PLACE, PAGE) == errno.ENOMEM
        assert errno_of(space.mmap, 6 * PAGE, 3, PRIVATE | MAP_LOCKED) == errno.ENOMEM
        space.setrlimit(RLIMIT_MEMLOCK, 2 * PAGE)
        assert errno_of(space.mlock, place, 3 * PAGE) == errno.ENOMEM
        with space.fork() as child:
            assert (child.statm().locked, space.statm().locked) == (0, 2)
        space.munlock(place, PAGE)
        assert memory.meminfo().locked == 1
        locked = space.mmap(PAGE, 3, PRIVATE | MAP_LOCKED)
        assert space.mincore(locked, PAGE) == b"\1"
        assert errno_of(space.madvise, locked, PAGE, 4) == errno.EINVAL
        nothing = space.mmap(PAGE, PROT_NONE)
        space.munmap(locked, PAGE)
        assert errno_of(space.mlock, nothing, PAGE) == errno.ENOMEM
        assert space.mincore(space.mmap(2 * PAGE, 3, PRIVATE | MAP_POPULATE), PAGE) == b"\1"


# Stacks.


def stack_of(space: AddressSpace, pages: int = 1) -> int:
    flags = PRIVATE | MAP_GROWSDOWN | MAP_FIXED
    return space.mmap(pages * PAGE, PROT_READ | PROT_WRITE, flags, PLACE)


def test_a_stack_grows_down_to_its_limit_and_not_into_its_guard() -> None:
    with machine("monolithic", 32) as system, new(system) as space:
        stack = stack_of(space)
        space.store(stack - 3 * PAGE, b"deep")
        assert [area.start for area in space.maps()] == [PLACE - 3 * PAGE]
        assert space.load(stack - PAGE, 1) == b"\0"
        below = space.mmap(PAGE, 3, PRIVATE | MAP_FIXED, PLACE - 8 * PAGE)
        assert errno_of(space.store, below + PAGE, b"x") == errno.EFAULT
        space.store(below + 2 * PAGE, b"x")
        assert errno_of(space.store, below + PAGE, b"x") == errno.EFAULT
        space.munmap(below, PAGE)
        space.setrlimit(RLIMIT_STACK, 10 * PAGE)
        space.store(PLACE - 9 * PAGE, b"x")
        assert errno_of(space.store, PLACE - 9 * PAGE - 1, b"x") == errno.EFAULT
        assert errno_of(space.load, PLACE + PAGE, 1) == errno.EFAULT


def test_a_stack_that_can_not_be_promised_does_not_grow() -> None:
    with machine("monolithic", 4, slots=1) as system, new(system) as space:
        stack = stack_of(space)
        space.store(stack - 3 * PAGE, b"x")
        assert errno_of(space.store, stack - 4 * PAGE, b"x") == errno.EFAULT
        assert system[MemoryManager].meminfo().committed == 4


def test_the_numbers_are_those_of_the_host() -> None:
    assert (MAP_PRIVATE, MAP_ANONYMOUS) == (mmap.MAP_PRIVATE, mmap.MAP_ANONYMOUS)
    assert (MAP_POPULATE, MADV_WILLNEED) == (mmap.MAP_POPULATE, mmap.MADV_WILLNEED)
    import resource

    assert (RLIMIT_AS, RLIMIT_RSS) == (resource.RLIMIT_AS, resource.RLIMIT_RSS)
    assert (RLIMIT_STACK, RLIMIT_MEMLOCK) == (resource.RLIMIT_STACK, resource.RLIMIT_MEMLOCK)


def test_a_service_that_is_started_again_forgets_what_was_in_the_swap_area() -> None:
    regions = Region.create("frames"), Region.create("tables")
    caller = Caller(1)
    first = alone(*regions, pages=2)
    number = first.create(caller)
    place = first.mmap(caller, number, 0, 8 * PAGE, 3, PRIVATE)
    for page in range(8):
        first.fault(caller, number, place + page * PAGE, PROT_WRITE)
    assert first.meminfo().free_swap == 10
    assert alone(*regions, pages=2).meminfo().free_swap == 16
