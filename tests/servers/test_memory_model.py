"""The memory manager against a flat model, under so few frames that paging never stops.

The model (`flat_memory`) knows pages, cells (what a frame holds) and who shares them, and what was
promised, and so predicts every byte and every errno. Who holds which frame and which slot of the
swap area is counted anew from the page tables after each step. Many more, and others:

    TWINOS_MEMORY_TIMES=50 TWINOS_MEMORY_SEED=7 pytest --timeout 0 THIS_FILE
"""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise, takewhile
from typing import Any

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kernels import System, boot
from servers.filesystem import FileSystem
from servers.memory import (
    MADV_DONTNEED,
    MADV_WILLNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    RLIMIT_AS,
    RLIMIT_RSS,
    RLIMIT_STACK,
    AddressSpace,
    BusError,
    MemoryManager,
    SegmentationFault,
    SwapDisk,
)
from servers.memory.layout import COPY_ON_WRITE, PRESENT, SWAPPED, WRITABLE, frame_of
from tests.servers.flat_memory import HEAP, NO_LIMIT, PAGE, Memory, Space, Thing

FRAMES = 4
SLOTS = 18
LIMIT = FRAMES + SLOTS - 1
MOST_LOCKED = FRAMES - FRAMES // 8 - 1
LENT = 4  # pages of files in memory
WINDOW = 0x20_0000 - 3 * PAGE  # across the border of two page tables
COUNTS = 5 * PAGE  # where the reference counts are: after the header and 64 slots
MOST_SPACES = 3
SPAN = 6  # pages: few, so that what is done to one is seen by what is done next
LONGEST = 5 * PAGE  # of a file, and of shared memory
TIMES = int(os.environ.get("TWINOS_MEMORY_TIMES", "1"))
SEED = int(os.environ.get("TWINOS_MEMORY_SEED", "1"))
CREATE = os.O_RDWR | os.O_CREAT | os.O_TRUNC


def pages_of(address: int, size: int) -> range:
    return range(address // PAGE, (address + size + PAGE - 1) // PAGE)


def chunks(address: int, size: int) -> Iterator[tuple[int, int, int, int]]:
    """The part of a range in each page: the page, where in it, where in the range, how much."""
    done = 0
    while done < size:
        page, start = divmod(address + done, PAGE)
        length = min(size - done, PAGE - start)
        yield page, start, done, length
        done += length


NO_MEMORY = os.strerror(errno.ENOMEM)
PLACES = st.builds(
    lambda base, page: base + page * PAGE,
    st.sampled_from([WINDOW, WINDOW, WINDOW, HEAP]),
    st.integers(0, SPAN - 1),
)
PROTECTIONS = st.sampled_from([PROT_NONE, PROT_READ, PROT_WRITE, 3, 3, 3, PROT_EXEC, 7])
LENGTHS = st.integers(1, 3 * PAGE)
OFFSETS = st.sampled_from([0, 1, 7, PAGE // 2, PAGE - 8, PAGE - 3, PAGE - 1])
DATA = st.binary(min_size=1, max_size=9) | st.sampled_from([b"a", b"b"]).map(lambda b: b * 6000)
KINDS = st.sampled_from(["private", "private", "zeros", "stack", "file", "file", "named", "named"])
SIZES = st.integers(0, LONGEST) | st.sampled_from([0, PAGE, 2 * PAGE, 3 * PAGE])
LIMITS = st.sampled_from([(RLIMIT_RSS, n) for n in (0, 1, 3)] + [(RLIMIT_AS, n) for n in (6, 9)])


Pair = tuple[AddressSpace, Space]


class Spaces(RuleBasedStateMachine):
    """Random address spaces beside their models."""

    spaces = Bundle("spaces")

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system
        self.user = system.user()
        self.memory = self.user[MemoryManager]
        self.files = self.user[FileSystem]
        self.model = Memory(LIMIT)
        self.mmus: dict[AddressSpace, AddressSpace] = {}
        self.total = self.memory.meminfo()
        self.tables = system.region(MemoryManager, "tables").memory
        self.regions = [system.region(MemoryManager, name) for name in ("frames", "tables")]
        self.lent = system.region(FileSystem, "pages")
        self.file, self.named = Thing("file", 0), Thing("named", 0)
        self.fds = {
            "file": self.files.open("/file", CREATE),
            "named": self.memory.shm_open("/named", CREATE),
        }
        self.model.things = [self.named]

    def teardown(self) -> None:
        self.memory.shm_unlink("/named")
        self.user.close()
        assert self.system[MemoryManager].meminfo() == self.total
        self.system[FileSystem].unlink("/file")

    def view(self, number: int | None = None, tlb: int = 64) -> AddressSpace:
        return AddressSpace(self.memory, *self.regions, number=number, tlb=tlb, files=self.lent)

    # What is done.

    @initialize(target=spaces, kind=KINDS, sizes=st.tuples(SIZES, SIZES))
    def begin(self, kind: str, sizes: tuple[int, int]) -> Pair:
        self.write(b"f" * sizes[0], 0)
        self.resize(sizes[1])
        pair = self.enter(self.view(), Space())
        self.mmap(pair, WINDOW, SPAN * PAGE, PROT_READ | PROT_WRITE, kind, 0)
        self.scribble(pair, b"!", other=False)
        return pair

    @rule(target=spaces, tlb=st.sampled_from([1, 2, 64]))
    @precondition(lambda self: len(self.model.spaces) < MOST_SPACES)
    def create(self, tlb: int) -> Pair:
        return self.enter(self.view(tlb=tlb), Space())

    @rule(target=spaces, pair=spaces)
    @precondition(lambda self: len(self.model.spaces) < MOST_SPACES)
    def fork(self, pair: Pair) -> Any:
        space, model = pair
        if sum(page.charged for page in model.pages.values()) > self.model.room:
            with pytest.raises(OSError, match=NO_MEMORY):
                space.fork()
            return multiple()
        return self.enter(space.fork(), model.fork())

    def enter(self, space: AddressSpace, model: Space) -> Pair:
        """An address space, with a second MMU that hears of changes from the tables alone."""
        self.model.spaces.append(model)
        self.mmus[space] = self.view(number=space.number)
        return space, model

    @rule(pair=consumes(spaces))
    def destroy(self, pair: Pair) -> None:
        space, model = pair
        space.close()
        self.model.spaces.remove(model)
        del self.mmus[space]

    @rule(
        pair=spaces,
        address=PLACES,
        length=LENGTHS,
        prot=PROTECTIONS,
        kind=KINDS,
        first=st.integers(0, 3),
    )
    def mmap(self, pair: Pair, address: int, length: int, prot: int, kind: str, first: int) -> None:
        space, model = pair
        thing = {"file": self.file, "named": self.named}.get(kind)
        private = kind in {"private", "stack"} or (thing and first % 2)
        flags = MAP_PRIVATE if private else MAP_SHARED
        flags |= 0 if thing else MAP_ANONYMOUS
        flags |= MAP_GROWSDOWN if kind == "stack" else 0
        numbers = pages_of(address, length)
        call = partial(
            space.mmap, length, prot, flags | MAP_FIXED, address, self.fds.get(kind, -1),
            first * PAGE if thing else 0,
        )  # fmt: skip
        if not self.model.fits(model, numbers, prot, flags):
            with pytest.raises(OSError, match=NO_MEMORY):
                call()
            return
        assert call() == address
        self.model.map(model, numbers, prot, flags, thing, first)

    @rule(pair=spaces, wish=st.integers(0, SPAN), length=st.integers(1, 3 * PAGE))
    def mmap_anywhere(self, pair: Pair, wish: int, length: int) -> None:
        space, model = pair
        wish = WINDOW + wish * PAGE
        flags = MAP_PRIVATE | MAP_ANONYMOUS
        if not self.model.fits(model, range(-(-length // PAGE)), 3, flags):
            with pytest.raises(OSError, match=NO_MEMORY):
                space.mmap(length, address=wish)
            return
        address = space.mmap(length, address=wish)
        numbers = pages_of(address, length)
        assert address % PAGE == 0
        assert not any(number in model.pages for number in numbers)
        assert address == wish or any(number in model.pages for number in pages_of(wish, length))
        self.model.map(model, numbers, PROT_READ | PROT_WRITE, flags, None, 0)

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def munmap(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        space.munmap(address, length)
        unmap(model, pages_of(address, length))

    @rule(pair=spaces, address=PLACES, length=LENGTHS, prot=PROTECTIONS)
    def mprotect(self, pair: Pair, address: int, length: int, prot: int) -> None:
        space, model = pair
        numbers = pages_of(address, length)
        done = numbers.start
        for area in model.areas(numbers):
            pages = [page for _, page in area]
            new = [p for p in pages if prot & PROT_WRITE and not p.shared and not p.charged]
            if area[0][0] != done or (new and len(new) > self.model.room):
                break
            for page in pages:
                page.prot = prot
                page.charged |= page in new
            done = area[-1][0] + 1
        self.check_call(space.mprotect, address, length, prot, done=done == numbers.stop)

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def discard(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        pages = [model.pages.get(number) for number in pages_of(address, length)]
        for page in pages:
            if page and page.locked:
                with pytest.raises(OSError, match="Invalid"):
                    space.madvise(address, length, MADV_DONTNEED)
                return
            if page:
                page.cell = None
        self.check_call(space.madvise, address, length, MADV_DONTNEED, done=None not in pages)

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def will_need(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        pages = [model.pages.get(number) for number in pages_of(address, length)]
        self.check_call(space.madvise, address, length, MADV_WILLNEED, done=None not in pages)

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def msync(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        pages = [model.pages.get(number) for number in pages_of(address, length)]
        self.check_call(space.msync, address, length, done=None not in pages)

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def mincore(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        pages = [model.pages.get(number) for number in pages_of(address, length)]
        if None in pages:
            self.check_call(space.mincore, address, length, done=False)
            return
        found = space.mincore(address, length)
        assert all(there <= page.touched for there, page in zip(found, pages, strict=True))

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def lock(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        numbers = pages_of(address, length)
        pages = [model.pages.get(number) for number in numbers]
        new = [page for page in pages if page and not page.locked]
        if self.model.locked() + len(new) > MOST_LOCKED:
            self.check_call(space.mlock, address, length, done=False)
            return
        for page in takewhile(bool, pages):
            page.locked = True
        done = None not in pages
        for number, page in zip(numbers, pages if done else [], strict=False):
            write = page.prot & PROT_WRITE and not page.shared
            if self.model.touch(model, number, PROT_WRITE if write else PROT_READ):
                done = False
                break
            page.present = True
        self.check_call(space.mlock, address, length, done=done)

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def unlock(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        pages = [model.pages.get(number) for number in pages_of(address, length)]
        self.check_call(space.munlock, address, length, done=None not in pages)
        for page in takewhile(bool, pages):
            page.locked = page.present = False

    @rule(pair=spaces, size=st.integers(-PAGE, 5 * PAGE))
    def brk(self, pair: Pair, size: int) -> None:
        space, model = pair
        assert space.brk() == model.brk
        address = HEAP + size
        old, new = -(-model.brk // PAGE), -(-address // PAGE)
        grown, flags = range(old, new), MAP_PRIVATE | MAP_ANONYMOUS
        fits = self.model.fits(model, grown, 3, flags)
        if size < 0 or any(number in model.pages for number in grown) or not fits:
            with pytest.raises(OSError, match=NO_MEMORY):
                space.brk(address)
            return
        assert space.brk(address) == address
        self.model.map(model, grown, PROT_READ | PROT_WRITE, flags, None, 0)
        unmap(model, range(new, old))
        model.brk = address

    @rule(pair=spaces, limit=LIMITS | st.just((RLIMIT_STACK, 4)), lifted=st.booleans())
    def setrlimit(self, pair: Pair, limit: tuple[int, int], lifted: bool) -> None:
        space, model = pair
        model.limits[limit[0]] = NO_LIMIT if lifted else limit[1] * PAGE
        space.setrlimit(limit[0], model.limits[limit[0]], NO_LIMIT)

    @rule(data=DATA | st.just(b"w" * PAGE), offset=st.integers(0, LONGEST))
    def write(self, data: bytes, offset: int) -> None:
        """Write to the file that is mapped."""
        self.files.pwrite(self.fds["file"], data, offset)
        self.file.length = max(self.file.length, offset + len(data) if data else 0)
        for index, start, done, length in chunks(offset, len(data)):
            self.file.cell(index).data[start : start + length] = data[done : done + length]

    @rule(size=SIZES)
    def truncate(self, size: int) -> None:
        self.files.ftruncate(self.fds["file"], size)
        self.model.resize(self.file, size)

    @rule(size=SIZES)
    def resize(self, size: int) -> None:
        """Give the shared memory that has a name another size."""
        more = -(-size // PAGE) - self.named.promised
        if more > 0 and more > self.model.room:
            with pytest.raises(OSError, match=NO_MEMORY):
                self.memory.shm_truncate(self.fds["named"], size)
            return
        self.memory.shm_truncate(self.fds["named"], size)
        self.model.resize(self.named, size)

    @rule()
    def another(self) -> None:
        """Another shared memory has the name; the old one lives as long as it is mapped."""
        self.memory.shm_close(self.fds["named"])
        self.memory.shm_unlink("/named")
        self.fds["named"] = self.memory.shm_open("/named", CREATE | os.O_EXCL)
        self.named = Thing("named", 0)
        self.model.things = [self.named]

    @rule(
        pair=spaces,
        address=PLACES,
        offset=OFFSETS,
        size=st.sampled_from([0, 1, 8, PAGE, 2 * PAGE]),
        other=st.booleans(),
    )
    def load(self, pair: Pair, address: int, offset: int, size: int, other: bool) -> None:
        space, model = self.through(pair, other)
        expected = bytearray()
        failure = None
        for number, start, _, length in chunks(address + offset, size):
            failure = self.model.touch(model, number, PROT_READ)
            if failure:
                break
            expected += model.pages[number].shown().data[start : start + length]
        self.check(failure, lambda: space.load(address + offset, size), bytes(expected))

    @rule(pair=spaces, address=PLACES, offset=OFFSETS, data=DATA, other=st.booleans())
    def store(self, pair: Pair, address: int, offset: int, data: bytes, other: bool) -> None:
        space, model = self.through(pair, other)
        parts = list(chunks(address + offset, len(data)))
        if any(beyond(model, number, start + length) for number, start, _, length in parts):
            return
        failure = None
        if len(parts) == 2 and len(data) <= PAGE:
            failure = self.model.touch(model, parts[1][0], PROT_WRITE)
        for number, start, done, length in parts:
            failure = failure or self.model.touch(model, number, PROT_WRITE)
            if failure:
                break
            cell = model.pages[number].shown()
            cell.data[start : start + length] = data[done : done + length]
        self.check(failure, lambda: space.store(address + offset, data), None)

    @rule(pair=spaces, byte=st.binary(min_size=1, max_size=1), other=st.booleans())
    def scribble(self, pair: Pair, byte: bytes, other: bool) -> None:
        """One byte into every page, so that what is shared by mistake shows."""
        space, model = self.through(pair, other)
        for number, page in list(model.pages.items()):
            if beyond(model, number, 10):
                continue
            failure = self.model.touch(model, number, PROT_WRITE)
            if not failure:
                page.shown().data[9:10] = byte
            self.check(failure, partial(space.store, number * PAGE + 9, byte), None)

    def through(self, pair: Pair, other: bool) -> Pair:
        space, model = pair
        return (self.mmus[space] if other else space), model

    def check(
        self, failure: int | None, access: Callable[[], bytes | None], expected: bytes | None
    ) -> None:
        if failure is None:
            assert access() == expected
            return
        kind = SegmentationFault if failure == errno.EFAULT else BusError
        with pytest.raises(kind):
            access()

    def check_call(self, call: Callable[..., object], *arguments: int, done: bool) -> None:
        if done:
            call(*arguments)
            return
        with pytest.raises(OSError, match=NO_MEMORY):
            call(*arguments)

    # What must always hold.

    @invariant()
    def no_frame_is_lost_and_none_is_used_twice(self) -> None:
        info = self.memory.meminfo()
        assert (info.spaces, info.committed) == (len(self.model.spaces), self.model.committed())
        assert info.locked == self.model.locked()
        used = info.frames - info.free_frames
        assert used + info.swap - info.free_swap >= self.model.written()
        counts = memoryview(self.tables)[COUNTS:][: 4 * (FRAMES + LENT)].cast("I").tolist()
        assert sum(map(bool, counts[:FRAMES])) == used
        mapped = Counter(
            frame_of(entry) for space in self.mmus for entry in entries_of(space) if entry & PRESENT
        )
        for frame, count in enumerate(counts):
            assert count - mapped[frame] in {0, 1}  # a memory object may hold it, too

    @invariant()
    def what_is_locked_is_in_memory(self) -> None:
        for model, space in zip(self.model.spaces, self.mmus, strict=True):
            for number, page in model.pages.items():
                if page.present:
                    assert space.mincore(number * PAGE, PAGE) == b"\1"

    @invariant()
    def every_byte_of_every_page_agrees_through_both_mmus(self) -> None:
        for model, space in zip(self.model.spaces, self.mmus, strict=True):
            for number, page in model.pages.items():
                if page.touched and page.prot and not page.lost:
                    data = bytes(page.shown().data)
                    assert space.load(number * PAGE, PAGE) == data
                    assert self.mmus[space].load(number * PAGE, PAGE) == data

    @invariant()
    def the_file_has_the_bytes_that_were_written_and_stored(self) -> None:
        length = self.file.length
        pages = [self.file.cells.get(index) for index in range(-(-length // PAGE))]
        data = b"".join(bytes(cell.data) if cell else bytes(PAGE) for cell in pages)
        assert self.files.pread(self.fds["file"], 1 << 20, 0) == data[:length]

    @invariant()
    def no_page_is_writable_and_copied_on_write(self) -> None:
        for space in self.mmus:
            for entry in entries_of(space):
                assert not entry & PRESENT or not entry & SWAPPED
                assert not (entry & WRITABLE and entry & COPY_ON_WRITE)

    @rule(pair=spaces)
    def accounts_and_maps_agree(self, pair: Pair) -> None:
        space, model = pair
        usage = space.statm()
        touched = [page for page in model.pages.values() if page.touched]
        written = [page for page in touched if page.cell and page.cell.written]
        entries = list(entries_of(space))
        assert usage.size == len(model.pages)
        assert usage.resident == sum(entry & PRESENT for entry in entries)
        if self.system.name == "monolithic":
            service = self.system._kernel._space._instances[MemoryManager]
            counted = service._spaces[space.number]
            assert (counted.resident, counted.size) == (usage.resident, usage.size)
        assert len(written) <= usage.resident + usage.swapped
        assert usage.resident <= len(touched)
        assert usage.shared <= usage.resident
        assert usage.locked == sum(page.locked for page in model.pages.values())
        assert (usage.faults, usage.copies <= usage.faults) == (usage.minor + usage.major, True)
        areas = space.maps()
        assert all(a.end <= b.start for a, b in pairwise(areas))
        shown = [
            (area.start // PAGE, area.end // PAGE, area.prot, area.flags, area.locked)
            for area in areas
        ]
        assert shown == [
            (run[0][0], run[-1][0] + 1, run[0][1].prot, run[0][1].flags, run[0][1].locked)
            for run in model.areas()
        ]


def unmap(model: Space, numbers: range) -> None:
    for number in numbers:
        model.pages.pop(number, None)


def beyond(model: Space, number: int, end: int) -> bool:
    """Whether a store would be to a page of a file, but not to the file: anything goes there."""
    page = model.pages.get(number)
    if page is None or page.thing is None or page.thing.kind != "file" or not page.shared:
        return False
    return 0 < page.thing.room(page.index) < end


def entries_of(space: AddressSpace) -> Iterator[int]:
    """The entries in a space's page tables."""
    mmu = space._mmu
    for area in space.maps():
        for page in range(area.start // PAGE, area.end // PAGE):
            word = mmu._walker.find(page)
            if word:
                yield mmu._words[word]


@pytest.mark.parametrize(
    ("kernel", "policy", "examples"),
    [
        ("monolithic", "clock", 150),
        ("monolithic", "ageing", 60),
        ("monolithic", "working-set", 60),
        ("monolithic", "random", 60),
        ("microkernel", "second-chance", 60),
    ],
)
def test_address_spaces_behave_like_the_model(kernel: str, policy: str, examples: int) -> None:
    examples *= TIMES
    few = {"pages": FRAMES, "page_tables": 200, "spaces": 64, "policy": policy}
    config: Any = {
        MemoryManager: few,
        SwapDisk: {"blocks": SLOTS},
        FileSystem: {"mapped": LENT},
    }
    with boot(kernel, MemoryManager, config=config) as system:
        run_state_machine_as_test(
            seed(SEED)(lambda: Spaces(system)),
            settings=settings(max_examples=examples, stateful_step_count=40),
        )
        events = system[MemoryManager].vmstat()
        assert events.evictions > 10 * examples
        assert events.written > examples
        assert events.major > examples
