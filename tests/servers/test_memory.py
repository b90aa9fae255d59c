"""The memory manager's operations, and what its users see, under every kernel."""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System, boot
from kernels.system import User
from servers.clock import Clock
from servers.memory import (
    MADV_DONTNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    AddressSpace,
    MemoryManager,
    Mmu,
    SegmentationFault,
    SwapDisk,
)
from tests.conftest import eventually
from tests.servers.spaces import alone, errno_of, new, nothing_is_missing
from twinos import Caller, Region, operations
from twinos.values import INT_MAX, INT_MIN

PAGE = 4096
PAGES = 64
TABLES = 40
SPACES = 8
READ_WRITE = PROT_READ | PROT_WRITE
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS
SHARED = MAP_SHARED | MAP_ANONYMOUS
FIXED = PRIVATE | MAP_FIXED
PLACE = 0x4000_0000
HEAP = 0x1000_0000
END = 1 << 39
SLOTS = 64
CONFIG = {
    MemoryManager: {"pages": PAGES, "page_tables": TABLES, "spaces": SPACES},
    SwapDisk: {"blocks": SLOTS},
}
LIMIT = PAGES + SLOTS - 1


@pytest.fixture(params=["monolithic", "microkernel"], scope="module")
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with boot(request.param, MemoryManager, config=CONFIG) as system:
        yield system


@pytest.fixture
def user(system: System) -> Iterator[User]:
    """A user; when the test is over, nothing may be missing."""
    before = system[MemoryManager].meminfo()
    with system.user() as user:
        yield user
    assert system[MemoryManager].meminfo() == before


@pytest.fixture
def memory(user: User) -> MemoryManager:
    return user[MemoryManager]


@pytest.fixture
def space(user: User) -> Iterator[AddressSpace]:
    space = new(user)
    yield space
    # pytest keeps what a fixture gave until after the search for what a module leaves behind.
    vars(space).clear()


# Loads and stores.


def test_what_is_mapped_is_zero_and_keeps_what_is_stored(space: AddressSpace) -> None:
    place = space.mmap(3 * PAGE)
    assert space.load(place, 3 * PAGE) == bytes(3 * PAGE)
    space.store(place + PAGE - 3, b"across")
    assert space.load(place + PAGE - 4, 8) == b"\0across\0"
    space.store(place, b"")
    assert space.load(place, 0) == b""


@given(
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([0, 1, PAGE - 1, PAGE - 2, PAGE - 4, PAGE - 7, PAGE - 8]),
    st.data(),
)
@settings(max_examples=60)
def test_numbers_of_every_size_at_every_place(
    system: System, size: int, offset: int, data: st.DataObject
) -> None:
    with new(system) as space:
        place = space.mmap(2 * PAGE) + offset
        value = data.draw(st.integers(0, 256**size - 1))
        getattr(space, f"store_u{8 * size}")(place, value)
        assert space.load(place, size) == value.to_bytes(size, "little")
        assert getattr(space, f"load_u{8 * size}")(place) == value
        for wrong in (-1, 256**size):
            with pytest.raises(OverflowError):
                getattr(space, f"store_u{8 * size}")(place, wrong)


@pytest.mark.parametrize(
    "address", [-1, 0, PLACE - 1, PLACE + PAGE, END - 1, END, 2**63, 2**64, -(2**70)]
)
@pytest.mark.parametrize("access", [PROT_READ, PROT_WRITE])
def test_an_access_to_nothing_is_a_segmentation_fault(
    space: AddressSpace, address: int, access: int
) -> None:
    space.mmap(PAGE, address=PLACE, flags=FIXED)
    with pytest.raises(SegmentationFault) as caught:
        space.load(address, 1) if access == PROT_READ else space.store(address, b"x")
    fault = caught.value
    assert (fault.errno, fault.address, fault.access, fault.area) == (
        errno.EFAULT, address, access, None
    )  # fmt: skip
    assert f"{address:#x}" in str(fault)


@pytest.mark.parametrize(
    ("prot", "readable", "writable"),
    [
        (PROT_NONE, False, False),
        (PROT_READ, True, False),
        (PROT_WRITE, True, True),
        (PROT_EXEC, True, False),
        (READ_WRITE, True, True),
    ],
)
def test_what_is_not_allowed_is_a_segmentation_fault_in_that_area(
    space: AddressSpace, prot: int, readable: bool, writable: bool
) -> None:
    place = space.mmap(2 * PAGE, prot)
    assert (errno_of(space.load, place + PAGE, 1) is None) is readable
    assert (errno_of(space.store, place + PAGE, b"x") is None) is writable
    if not writable:
        with pytest.raises(SegmentationFault) as caught:
            space.store(place + PAGE, b"x")
        assert caught.value.area == space.maps()[0]
        assert str(space.maps()[0]) in str(caught.value)


def test_a_store_over_two_pages_is_done_as_a_whole_or_not_at_all(space: AddressSpace) -> None:
    place = space.mmap(2 * PAGE)
    space.mprotect(place + PAGE, PAGE, PROT_READ)
    with pytest.raises(SegmentationFault) as caught:
        space.store_u64(place + PAGE - 4, 2**64 - 1)
    assert space.load_u64(place + PAGE - 4) == 0
    assert caught.value.address == place + PAGE
    assert errno_of(space.store, place, b"x" * (PAGE + 1)) == errno.EFAULT
    assert space.load(place, PAGE) == b"x" * PAGE


# Arranging memory: errno by errno. An address None is that of two mapped pages.


@pytest.mark.parametrize(
    ("address", "length", "flags", "expected"),
    [
        (0, PAGE, PRIVATE, None),
        (PLACE + 1, 1, PRIVATE, None),
        (PLACE, 0, PRIVATE, errno.EINVAL),
        (PLACE, PAGE, MAP_ANONYMOUS, errno.EINVAL),
        (PLACE, PAGE, MAP_ANONYMOUS | MAP_SHARED | MAP_PRIVATE, errno.EINVAL),
        (PLACE, PAGE, MAP_PRIVATE, errno.EBADF),
        (PLACE, PAGE, 0, errno.EBADF),
        (PLACE + 1, PAGE, FIXED, errno.EINVAL),
        (0, PAGE, FIXED, errno.EPERM),
        (0xF000, PAGE, FIXED, errno.EPERM),
        (END, PAGE, FIXED, errno.ENOMEM),
        (END - PAGE, 2 * PAGE, FIXED, errno.ENOMEM),
        (-PAGE, PAGE, FIXED, errno.ENOMEM),
        (PLACE, PAGE, PRIVATE | MAP_FIXED_NOREPLACE, errno.EEXIST),
        (PLACE + 2 * PAGE, PAGE, PRIVATE | MAP_FIXED_NOREPLACE, None),
        (0, END, PRIVATE, errno.ENOMEM),
        (0, -1, PRIVATE, errno.ENOMEM),
        (0, 2**64 - 1, PRIVATE, errno.ENOMEM),
        (2**63, PAGE, PRIVATE, None),
        (-1, PAGE, PRIVATE, None),
        (0, LIMIT * PAGE, PRIVATE, errno.ENOMEM),
        (0, (LIMIT - 2) * PAGE, PRIVATE, None),
        (0, (LIMIT - 2) * PAGE, SHARED, None),
        (0, (LIMIT - 1) * PAGE, SHARED, errno.ENOMEM),
        (PLACE, LIMIT * PAGE, FIXED, None),
        (PLACE, (LIMIT + 1) * PAGE, FIXED, errno.ENOMEM),
    ],
)
def test_errors_of_mmap(
    space: AddressSpace, address: int, length: int, flags: int, expected: int | None
) -> None:
    space.mmap(2 * PAGE, address=PLACE, flags=FIXED)
    before = space.maps()
    assert errno_of(space.mmap, length, READ_WRITE, flags, address) == expected
    assert expected is None or space.maps() == before


@pytest.mark.parametrize(
    ("address", "length", "expected"),
    [
        (PLACE, PAGE, None),
        (PLACE, 1, None),
        (PLACE - PAGE, 5 * PAGE, None),
        (0, PAGE, None),
        (0, END, None),
        (PLACE + 1, PAGE, errno.EINVAL),
        (PLACE, 0, errno.EINVAL),
        (PLACE, -1, errno.EINVAL),
        (PLACE, END, errno.EINVAL),
        (END, PAGE, errno.EINVAL),
        (END - PAGE, PAGE, None),
        (-PAGE, PAGE, errno.EINVAL),
        (2**63, 2**63, errno.EINVAL),
    ],
)
def test_errors_of_munmap(
    space: AddressSpace, address: int, length: int, expected: int | None
) -> None:
    space.mmap(2 * PAGE, address=PLACE, flags=FIXED)
    assert errno_of(space.munmap, address, length) == expected


@pytest.mark.parametrize(
    ("address", "length", "prot", "expected"),
    [
        (PLACE, PAGE, PROT_NONE, None),
        (PLACE + PAGE, 1, 7, None),
        (PLACE, 0, 99, None),
        (PLACE, PAGE, 8, None),
        (PLACE, PAGE, 16, errno.EINVAL),
        (PLACE, PAGE, -1, errno.EINVAL),
        (PLACE + 1, PAGE, PROT_READ, errno.EINVAL),
        (PLACE + 1, 0, PROT_READ, errno.EINVAL),
        (PLACE - PAGE, 2 * PAGE, PROT_READ, errno.ENOMEM),
        (0, PAGE, PROT_READ, errno.ENOMEM),
        (END, PAGE, PROT_READ, errno.ENOMEM),
        (PLACE, -1, PROT_READ, errno.ENOMEM),
        (-PAGE, PAGE, PROT_READ, errno.ENOMEM),
        (0, 2**63, PROT_READ, errno.ENOMEM),
    ],
)
def test_errors_of_mprotect(
    space: AddressSpace, address: int, length: int, prot: int, expected: int | None
) -> None:
    space.mmap(2 * PAGE, address=PLACE, flags=FIXED)
    before = space.maps()
    assert errno_of(space.mprotect, address, length, prot) == expected
    assert expected is None or space.maps() == before


@pytest.mark.parametrize("address", [1, HEAP - 1, END + 1, 2**63, -1])
def test_the_break_stays_within_the_heap(space: AddressSpace, address: int) -> None:
    assert space.brk() == HEAP
    assert errno_of(space.brk, address) == errno.ENOMEM
    assert space.brk() == HEAP


def test_the_heap_grows_and_shrinks_by_bytes(space: AddressSpace) -> None:
    assert space.sbrk(10) == HEAP
    space.store(HEAP, b"0123456789")
    assert space.sbrk(3 * PAGE) == HEAP + 10
    assert space.statm().size == 4
    space.store(HEAP + 3 * PAGE, b"end")
    assert space.sbrk(-3 * PAGE) == HEAP + 10 + 3 * PAGE
    assert space.load(HEAP, 10) == b"0123456789"
    assert errno_of(space.load, HEAP + 3 * PAGE, 1) == errno.EFAULT
    space.sbrk(3 * PAGE)
    assert space.load(HEAP + 3 * PAGE, 3) == bytes(3)


def test_the_heap_does_not_grow_over_what_is_mapped(space: AddressSpace) -> None:
    space.mmap(PAGE, address=HEAP + PAGE, flags=FIXED)
    assert space.brk(HEAP + PAGE) == HEAP + PAGE
    assert errno_of(space.brk, HEAP + PAGE + 1) == errno.ENOMEM
    assert space.brk(HEAP + 1) == HEAP + 1
    assert space.brk(HEAP) == HEAP
    assert space.statm().size == 1


# Whose an address space is.


def test_nobody_else_can_name_an_address_space(
    system: System, memory: MemoryManager, space: AddressSpace
) -> None:
    with system.user(uid=0) as other:
        for call in operations(MemoryManager).values():
            if call.parameters and call.parameters[0].name == "space":
                rest = [0] * (len(call.parameters) - 1)
                assert (
                    errno_of(getattr(other[MemoryManager], call.name), space.number, *rest)
                    == errno.EPERM
                )
                for nothing in (0, -1, space.number + SPACES, 2**63, 2**64 - 1):
                    assert errno_of(getattr(memory, call.name), nothing, *rest) == errno.ESRCH


def test_what_has_ended_is_gone(space: AddressSpace) -> None:
    place = space.mmap(PAGE)
    space.store(place, b"x")
    space.close()
    space.close()
    for call, arguments in ((space.load, (place, 1)), (space.store, (place, b"y"))):
        assert errno_of(call, *arguments) == errno.ESRCH
    assert errno_of(space.mmap, PAGE) == errno.ESRCH


def test_a_slot_that_is_used_again_shows_nothing_to_its_former_user(
    system: System, space: AddressSpace
) -> None:
    place = space.mmap(PAGE, address=PLACE)
    space.store(place, b"mine")
    space.close()
    with system.user() as other:
        theirs = new(other)
        theirs.store(theirs.mmap(PAGE, address=PLACE), b"yours")
        assert theirs.number % SPACES == space.number % SPACES
        assert theirs.number != space.number
        assert errno_of(space.load, place, 5) == errno.ESRCH


def test_too_many_spaces(memory: MemoryManager) -> None:
    numbers = [memory.create() for _ in range(SPACES)]
    assert len(set(numbers)) == SPACES
    assert errno_of(memory.create) == errno.EAGAIN
    assert errno_of(memory.fork, numbers[0]) == errno.EAGAIN
    memory.destroy(numbers[3])
    assert memory.fork(numbers[0]) not in numbers


def test_a_departed_user_leaves_nothing(system: System) -> None:
    before = system[MemoryManager].meminfo()
    with system.user() as user:
        space = new(user)
        place = space.mmap(8 * PAGE, flags=SHARED)
        space.store(place, b"x" * 8 * PAGE)
        space.fork()
        assert system[MemoryManager].meminfo().free_frames == before.free_frames - 8
    assert system[MemoryManager].meminfo() == before


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_a_process_gives_its_frames_back_however_it_ends(kernel: str, killed: bool) -> None:
    with boot(kernel, MemoryManager, Clock, config=CONFIG, users="process") as system:
        memory = system[MemoryManager]
        before = memory.meminfo()
        process = system.process(fill_two_pages, 60.0 if killed else 0.0)
        if killed:
            eventually(lambda: memory.meminfo().free_frames <= before.free_frames - 2)
            process.kill()
        process.join(30)
        nothing_is_missing(memory, before)


def fill_two_pages(user: User, wait: float) -> None:
    """A program that leaves without tidying up."""
    space = new(user)
    space.store(space.mmap(2 * PAGE), b"x" * 2 * PAGE)
    user[Clock].sleep(wait)


# Physical memory.


def test_frames_are_zero_when_they_change_hands(system: System) -> None:
    for letter in (b"a", b"b"):
        with system.user() as user:
            space = new(user)
            place = space.mmap(LIMIT * PAGE)
            assert space.load(place, LIMIT * PAGE) == bytes(LIMIT * PAGE)
            space.store(place, letter * LIMIT * PAGE)


def test_what_is_not_needed_is_zero_again_and_its_frames_are_free(
    memory: MemoryManager, space: AddressSpace
) -> None:
    place = space.mmap(3 * PAGE)
    space.store(place, b"x" * 3 * PAGE)
    free = memory.meminfo().free_frames
    space.madvise(place + PAGE, PAGE, MADV_DONTNEED)
    assert memory.meminfo().free_frames == free + 1
    assert space.mincore(place, 3 * PAGE) == b"\1\0\1"
    assert space.load(place, 3 * PAGE) == b"x" * PAGE + bytes(PAGE) + b"x" * PAGE


def test_what_was_given_back_is_gone_for_who_else_has_the_space(
    memory: MemoryManager, space: AddressSpace
) -> None:
    other = AddressSpace(memory, *space._regions, number=space.number)
    place = space.mmap(PAGE)
    space.store(place, b"x")
    assert other.load(place, 1) == b"x"
    space.madvise(place, PAGE, MADV_DONTNEED)
    assert other.load(place, 1) == b"\0"


def test_mincore_answers_for_sparse_areas_and_refuses_what_is_too_long(
    space: AddressSpace,
) -> None:
    place = space.mmap(1 << 35, PROT_READ)
    space.load(place + (1 << 33), 1)
    found = space.mincore(place, 1 << 34)
    assert (len(found), found.index(1), found.count(1)) == (1 << 22, 1 << 21, 1)
    assert errno_of(space.mincore, place, 1 << 35) == errno.EINVAL
    assert errno_of(space.mincore, place + 1, PAGE) == errno.EINVAL
    assert errno_of(space.mincore, place - PAGE, 2 * PAGE) == errno.ENOMEM


def test_what_can_not_be_kept_is_refused_when_it_is_asked_for(
    memory: MemoryManager, space: AddressSpace
) -> None:
    place = space.mmap((PAGES + 1) * PAGE)
    for page in range(PAGES + 1):
        space.store_u32(place + page * PAGE, page)
    info = memory.meminfo()
    assert (info.free_frames, info.free_swap, info.committed) == (0, SLOTS - 1, PAGES + 1)
    assert errno_of(space.fork) == errno.ENOMEM
    assert errno_of(space.mmap, (SLOTS - 1) * PAGE) == errno.ENOMEM
    assert errno_of(space.sbrk, (SLOTS - 1) * PAGE) == errno.ENOMEM
    readable = space.mmap(1 << 30, PROT_READ)
    assert errno_of(space.mprotect, readable, (SLOTS - 1) * PAGE, READ_WRITE) == errno.ENOMEM
    assert memory.meminfo().committed == PAGES + 1
    space.mprotect(readable, (SLOTS - 2) * PAGE, READ_WRITE)
    space.store(readable, b"x" * (SLOTS - 2) * PAGE)
    assert memory.meminfo().free_swap == 1
    for page in range(PAGES + 1):
        assert space.load_u32(place + page * PAGE) == page
    space.mprotect(readable, 1 << 30, PROT_READ)
    assert memory.meminfo().committed == LIMIT


def test_out_of_page_tables_nothing_is_lost(memory: MemoryManager, space: AddressSpace) -> None:
    span = 1 << 21
    count = TABLES - 2
    for number in range(count):
        place = PLACE + number * span
        space.mmap(PAGE, address=place, flags=FIXED)
        assert errno_of(space.store_u32, place, number) is None
    assert memory.meminfo().free_tables == 0
    assert errno_of(memory.create) == errno.ENOMEM
    assert errno_of(space.fork) == errno.ENOMEM
    beyond = space.mmap(PAGE, address=1 << 36, flags=FIXED)
    assert errno_of(space.load, beyond, 1) == errno.ENOMEM
    assert space.statm().tables == TABLES
    space.munmap(PLACE, 2 * span)
    assert errno_of(space.fork) == errno.ENOMEM
    assert memory.meminfo().free_tables == 2
    assert space.load(beyond, 1) == b"\0"
    assert space.load_u32(PLACE + 2 * span) == 2


def test_mapping_costs_nothing_till_touched(memory: MemoryManager, space: AddressSpace) -> None:
    before = memory.meminfo()
    place = space.mmap(1 << 30, PROT_READ)
    assert memory.meminfo() == before
    space.load(place + (1 << 29), 1)
    usage = space.statm()
    assert (usage.size, usage.resident, usage.tables) == (1 << 18, 1, 3)
    space.munmap(place, 1 << 30)
    assert memory.meminfo() == before


# Fork.


def test_after_a_fork_each_sees_its_own_writes(space: AddressSpace) -> None:
    place = space.mmap(2 * PAGE)
    space.store(place, b"both")
    with space.fork() as child, child.fork() as grandchild:
        child.store(place, b"kid ")
        space.store(place + PAGE, b"new")
        assert [one.load(place, 4) for one in (space, child, grandchild)] == [
            b"both",
            b"kid ",
            b"both",
        ]
        assert [one.load(place + PAGE, 3) for one in (space, child)] == [b"new", bytes(3)]


def test_the_last_who_holds_a_page_writes_without_a_copy(
    memory: MemoryManager, space: AddressSpace
) -> None:
    place = space.mmap(PAGE)
    space.store(place, b"x")
    child = space.fork()
    child.store(place, b"y")
    assert child.statm().copies == 1
    free = memory.meminfo().free_frames
    space.store(place, b"z")
    assert space.statm().copies == 0
    assert memory.meminfo().free_frames == free


def test_protection_gives_no_way_around_copy_on_write(space: AddressSpace) -> None:
    place = space.mmap(PAGE)
    space.store(place, b"parent")
    child = space.fork()
    for prot in (PROT_READ, PROT_NONE, READ_WRITE):
        child.mprotect(place, PAGE, prot)
    child.store(place, b"child ")
    assert space.load(place, 6) == b"parent"


def test_shared_pages_stay_shared_touched_before_the_fork_or_after(space: AddressSpace) -> None:
    place = space.mmap(2 * PAGE, flags=SHARED)
    space.store(place, b"early")
    child = space.fork()
    child.store(place, b"later")
    child.store(place + PAGE, b"first")
    assert (space.load(place, 5), space.load(place + PAGE, 5)) == (b"later", b"first")
    space.munmap(place, 2 * PAGE)
    assert child.load(place + PAGE, 5) == b"first"


# The MMU.


def test_the_tlb_counts(space: AddressSpace) -> None:
    place = space.mmap(4 * PAGE)
    before = space.counters()
    for _ in range(10):
        space.load(place, 1)
    space.store(place, b"x")
    space.load(place + PAGE - 1, 3)
    after = space.counters()
    assert after.accesses - before.accesses == 13
    assert after.misses - before.misses == 3  # the first load, the first store, the second page
    assert after.faults - before.faults == 3  # zeros, as on Linux, are not yet to be written


def test_the_tlb_holds_so_many_translations_and_no_more(user: User) -> None:
    space = new(user, tlb=2)
    place = space.mmap(3 * PAGE)
    space.store(place, b"x" * 3 * PAGE)
    before = space.counters()
    for page in (1, 2, 1, 2):
        space.store(place + page * PAGE, b"y")
    assert space.counters().misses == before.misses
    for page in (0, 1, 2):
        space.store(place + page * PAGE, b"y")
    after = space.counters()
    assert (after.misses - before.misses, after.evictions - before.evictions) == (3, 3)


def test_the_mmu_sets_accessed_and_dirty(space: AddressSpace) -> None:
    place = space.mmap(2 * PAGE)
    space.load(place, 1)
    space.store(place + PAGE, b"x")
    entries = [space._mmu._words[space._mmu._walker.find(place // PAGE + page)] for page in (0, 1)]
    assert [entry >> 48 & 1 for entry in entries] == [1, 1]
    assert [entry >> 56 & 1 for entry in entries] == [0, 1]


CHANGES: dict[str, Callable[[AddressSpace, int], object]] = {
    "munmap": lambda space, place: space.munmap(place, PAGE),
    "mprotect": lambda space, place: space.mprotect(place, PAGE, PROT_READ),
    "mmap": lambda space, place: space.mmap(PAGE, PROT_READ, FIXED, place),
    "brk": lambda space, place: space.brk(place),
    "fork": lambda space, place: space.fork().store(place, b"y"),
    "close": lambda space, _: space.close(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_mmu_of_a_space_hears_of_every_change(
    user: User, space: AddressSpace, change: str
) -> None:
    other = new(user, space.number)
    space.brk(HEAP + PAGE)
    other.store(HEAP, b"x")
    CHANGES[change](space, HEAP)
    if change == "fork":
        other.store(HEAP, b"z")
        assert space.load(HEAP, 1) == b"z"
        assert space.statm().copies == 0
    else:
        gone = errno.ESRCH if change == "close" else errno.EFAULT
        assert errno_of(other.store, HEAP, b"z") == gone


def test_a_change_by_another_during_a_fault_is_not_taken_for_the_faults_own(
    user: User, memory: MemoryManager, space: AddressSpace
) -> None:
    place = space.mmap(2 * PAGE)
    space.store(place, b"x")

    def fault(address: int, access: int) -> bool:
        space.munmap(place, PAGE)
        return memory.fault(space.number, address, access)

    regions = [user.region(MemoryManager, name) for name in ("frames", "tables")]
    mmu = Mmu(regions[0], regions[1], space.number, fault)
    assert mmu.load(place, 1) == b"x"
    assert mmu.load(place + PAGE, 1) == b"\0"
    mmu._fault = lambda address, access: memory.fault(space.number, address, access)
    assert errno_of(mmu.load, place, 1) == errno.EFAULT


@contextmanager
def threads(work: Callable[[], object]) -> Iterator[None]:
    """Two threads that do `work` again and again."""
    stopped = threading.Event()

    def run() -> None:
        while not stopped.is_set():
            work()

    workers = [threading.Thread(target=run) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stopped.set()
        for worker in workers:
            worker.join(10)


def test_no_store_of_a_thread_lands_in_anothers_memory(system: System, user: User) -> None:
    space = new(user)
    place = space.mmap(PAGE, address=PLACE)
    with (
        system.user() as neighbour,
        threads(lambda: errno_of(space.store, place, b"scribble")),
    ):
        for _ in range(60):
            space.munmap(place, PAGE)
            with new(neighbour) as theirs:
                window = theirs.mmap(PAGES * PAGE)
                assert theirs.load(window, PAGES * PAGE) == bytes(PAGES * PAGE)
            space.mmap(PAGE, address=place, flags=FIXED)


def test_a_child_sees_nothing_that_threads_store_after_the_fork(space: AddressSpace) -> None:
    place = space.mmap(PAGE)
    numbers = count()
    with threads(lambda: space.store_u64(place, next(numbers))):
        for _ in range(60):
            with space.fork() as child:
                before = child.load_u64(place)
                child.store_u64(place + 8, 1)
                assert child.load_u64(place) == before
                assert space.load_u64(place + 8) == 0


def test_an_mmu_needs_the_tables_of_its_space(user: User, space: AddressSpace) -> None:
    frames = user.region(MemoryManager, "frames")
    tables = user.region(MemoryManager, "tables")
    empty = Region.create("nothing", PAGE)
    with pytest.raises(ValueError, match="not the page tables"):
        new_mmu(frames, empty, space.number)
    with pytest.raises(ValueError, match="no address space"):
        new_mmu(frames, tables, space.number + SPACES)
    with pytest.raises(ValueError, match="a TLB of 0"):
        new_mmu(frames, tables, space.number, 0)
    with pytest.raises(ValueError, match="a load of -1"):
        space.load(0, -1)
    empty.close()


def new_mmu(frames: Region, tables: Region, number: int, size: int = 1) -> Mmu:
    return Mmu(frames, tables, number, lambda *_: False, size)


# The service by itself.


@pytest.mark.parametrize("setting", ["pages", "page_tables", "spaces"])
@pytest.mark.parametrize("value", [0, -1, 2**63])
def test_settings_out_of_range_are_refused(setting: str, value: int) -> None:
    with pytest.raises(OSError, match=f"{setting} must be 1 to") as caught:
        alone(**{setting: value})
    assert caught.value.errno == errno.EINVAL


def test_a_second_life_starts_empty_and_earlier_spaces_are_gone() -> None:
    regions = Region.create("frames"), Region.create("tables")
    caller = Caller(1)
    first = alone(*regions, pages=4, page_tables=8, spaces=2)
    number = first.create(caller)
    place = first.mmap(caller, number, 0, PAGE, READ_WRITE, PRIVATE)
    lives = [first]
    mmu = Mmu(*regions, number, lambda *fault: lives[-1].fault(caller, number, *fault))
    mmu.store(place, b"x")
    second = alone(*regions, pages=4, page_tables=8, spaces=2)
    lives.append(second)
    assert errno_of(mmu.load, place, 1) == errno.ESRCH
    assert second.meminfo().free_frames == 4
    assert second.create(caller) != number


def test_an_accessed_bit_that_comes_too_late_costs_nothing() -> None:
    tables = Region.create("tables")
    caller = Caller(1)
    memory = alone(Region.create("frames"), tables, pages=4, page_tables=8, spaces=2)
    number = memory.create(caller)
    place = memory.mmap(caller, number, 0, 2 * PAGE, READ_WRITE, PRIVATE)
    memory.fault(caller, number, place, PROT_READ)
    entry = memory._machine.tables.entry(memory._spaces[number].root, place // PAGE)
    memory.munmap(caller, number, place, PAGE)
    tables.memory[8 * entry + 6] = 1
    memory.fault(caller, number, place + PAGE, PROT_READ)
    tables.memory[8 * entry + 6] = 1
    assert errno_of(memory.fault, caller, number, place, PROT_READ) == errno.EFAULT
    memory.destroy(caller, number)
    assert memory.meminfo().free_tables == 8


def test_too_many_areas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servers.memory.space.MAX_AREAS", 4)
    caller = Caller(1)
    memory = alone()
    number = memory.create(caller)
    for page in (0, 4, 8):
        memory.mmap(caller, number, PLACE + page * PAGE, 3 * PAGE, READ_WRITE, FIXED)
    before = memory.maps(caller, number)
    more = PLACE + 12 * PAGE
    assert errno_of(memory.mmap, caller, number, more, PAGE, 3, FIXED) == errno.ENOMEM
    assert errno_of(memory.munmap, caller, number, PLACE + PAGE, PAGE) == errno.ENOMEM
    assert errno_of(memory.mprotect, caller, number, PLACE, PAGE, PROT_READ) == errno.ENOMEM
    assert memory.maps(caller, number) == before
    memory.munmap(caller, number, PLACE, 3 * PAGE)
    memory.munmap(caller, number, PLACE + 5 * PAGE, PAGE)


WORDS = st.integers(INT_MIN, INT_MAX) | st.integers(-3, 3).flatmap(
    lambda near: st.sampled_from([0, PAGE, HEAP, PLACE, END, 2**63 - 1, 2**64 - 4]).map(
        near.__add__
    )
)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(operations(MemoryManager))), st.tuples(*[WORDS] * 5)))
)
def test_any_arguments_end_in_a_result_or_an_errno(
    calls: list[tuple[str, tuple[int, ...]]],
) -> None:
    caller = Caller(1)
    memory = alone(pages=4, page_tables=8, spaces=4)
    number = memory.create(caller)
    for name, words in calls:
        call = operations(MemoryManager)[name]
        arguments: list[Any] = [caller] if call.wants_caller else []
        for parameter, word in zip(call.parameters, words, strict=False):
            if parameter.annotation is str:
                arguments.append(f"/{word}")
            else:
                arguments.append(number if parameter.name == "space" and word % 8 else word)
        code = errno_of(getattr(memory, name), *arguments)
        assert code is None or code in errno.errorcode
    memory._departed(caller)
    info = memory.meminfo()
    assert (info.free_frames, info.free_tables, info.spaces) == (4, 8, 0)
    assert info.free_swap == info.swap
