"""The memory manager against a flat model, under so few frames that paging never stops.

The model knows pages, cells (what a frame holds) and who shares them, and what was promised, and so
predicts every byte and every errno. Who holds which frame and which slot of the swap area is
counted anew from the page tables after each step.
"""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise, takewhile
from typing import Any

import pytest
from hypothesis import settings
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
from servers.memory import (
    MADV_DONTNEED,
    MADV_WILLNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    AddressSpace,
    MemoryManager,
    SegmentationFault,
    SwapDisk,
)
from servers.memory.layout import COPY_ON_WRITE, PRESENT, SWAPPED, WRITABLE, frame_of

PAGE = 4096
FRAMES = 4
SLOTS = 18
LIMIT = FRAMES + SLOTS - 1
MOST_LOCKED = FRAMES - FRAMES // 8 - 1
WINDOW = 0x20_0000 - 3 * PAGE  # across the border of two page tables
HEAP = 0x1000_0000
COUNTS = 3 * PAGE  # where the reference counts are: after the header and 64 slots
MOST_SPACES = 3
SPAN = 6  # pages: few, so that what is done to one is seen by what is done next


@dataclass
class Cell:
    """What a frame holds."""

    data: bytearray = field(default_factory=lambda: bytearray(PAGE))
    written: bool = False


@dataclass
class Object:
    """What a shared mapping shows: the cells of its pages that were touched."""

    size: int
    cells: dict[int, Cell] = field(default_factory=dict)


@dataclass
class Page:
    """A page of an address space, mapped."""

    prot: int
    shared: tuple[Object, int] | None
    cell: Cell | None = None
    charged: bool = False
    locked: bool = False
    present: bool = False  # as long as it is locked


@dataclass
class Model:
    """An address space."""

    pages: dict[int, Page] = field(default_factory=dict)
    brk: int = HEAP

    def fork(self) -> "Model":
        pages = {
            n: Page(page.prot, page.shared, page.cell, page.charged)
            for n, page in self.pages.items()
        }
        return Model(pages, self.brk)


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


Pair = tuple[AddressSpace, Model]


class Spaces(RuleBasedStateMachine):
    """Random address spaces beside their models."""

    spaces = Bundle("spaces")

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system
        self.user = system.user()
        self.memory = self.user[MemoryManager]
        self.models: list[Model] = []
        self.mmus: dict[AddressSpace, AddressSpace] = {}
        self.total = self.memory.meminfo()
        self.tables = system.region(MemoryManager, "tables").memory
        self.regions = [system.region(MemoryManager, name) for name in ("frames", "tables")]

    def teardown(self) -> None:
        self.user.close()
        assert self.system[MemoryManager].meminfo() == self.total

    # What the model predicts.

    def committed(self) -> int:
        """What was promised: pages that may be written, and shared areas, each once."""
        pages = [page for model in self.models for page in model.pages.values()]
        objects = {id(page.shared[0]): page.shared[0] for page in pages if page.shared}
        return sum(page.charged for page in pages) + sum(one.size for one in objects.values())

    def locked(self) -> int:
        return sum(page.locked for model in self.models for page in model.pages.values())

    def written_cells(self) -> int:
        """The cells whose bytes must be somewhere, each once."""
        cells = [*self.private_cells()]
        for model in self.models:
            for page in model.pages.values():
                if page.shared:
                    cells += page.shared[0].cells.values()
        return len({id(cell) for cell in cells if cell.written})

    def private_cells(self) -> list[Cell]:
        pages = (page for model in self.models for page in model.pages.values())
        return [page.cell for page in pages if page.cell and not page.shared]

    def touch(self, model: Model, number: int, access: int) -> int | None:
        """What happens at an access to a page: an errno, or None and the page has its cell."""
        page = model.pages.get(number)
        needed = PROT_WRITE if access == PROT_WRITE else PROT_READ | PROT_WRITE | PROT_EXEC
        if page is None or not page.prot & needed:
            return errno.EFAULT
        known = page.shared[0].cells.get(page.shared[1]) if page.shared else page.cell
        others = not page.shared and sum(cell is known for cell in self.private_cells()) > 1
        if known is None or (access == PROT_WRITE and others):
            known = Cell(bytearray(known.data) if known else bytearray(PAGE))
            if page.shared:
                page.shared[0].cells[page.shared[1]] = known
        page.cell = known
        known.written |= access == PROT_WRITE
        return None

    def unmap(self, model: Model, numbers: range) -> None:
        for number in numbers:
            model.pages.pop(number, None)

    def map(self, model: Model, numbers: range, prot: int, shared: bool) -> None:
        self.unmap(model, numbers)
        thing = Object(len(numbers)) if shared else None
        charged = not shared and bool(prot & PROT_WRITE)
        for place, number in enumerate(numbers):
            model.pages[number] = Page(prot, (thing, place) if thing else None, charged=charged)

    def fits(self, model: Model, numbers: range, prot: int, shared: bool) -> bool:
        """Whether what is to be mapped there can be promised."""
        more = len(numbers) if shared or prot & PROT_WRITE else 0
        less = sum(model.pages[n].charged for n in numbers if n in model.pages)
        return more <= less or self.committed() + more - less <= LIMIT

    # What is done.

    @initialize(target=spaces, shared=st.booleans())
    def begin(self, shared: bool) -> Pair:
        pair = self.enter(AddressSpace(self.memory, *self.regions), Model())
        self.mmap(pair, WINDOW, SPAN * PAGE, PROT_READ | PROT_WRITE, shared)
        self.scribble(pair, b"!", other=False)
        return pair

    @rule(target=spaces, tlb=st.sampled_from([1, 2, 64]))
    @precondition(lambda self: len(self.models) < MOST_SPACES)
    def create(self, tlb: int) -> Pair:
        return self.enter(AddressSpace(self.memory, *self.regions, tlb=tlb), Model())

    @rule(target=spaces, pair=spaces)
    @precondition(lambda self: len(self.models) < MOST_SPACES)
    def fork(self, pair: Pair) -> Any:
        space, model = pair
        if self.committed() + sum(page.charged for page in model.pages.values()) > LIMIT:
            with pytest.raises(OSError, match=NO_MEMORY):
                space.fork()
            return multiple()
        return self.enter(space.fork(), model.fork())

    def enter(self, space: AddressSpace, model: Model) -> Pair:
        """An address space, with a second MMU that hears of changes from the tables alone."""
        self.models.append(model)
        self.mmus[space] = AddressSpace(self.memory, *self.regions, number=space.number)
        return space, model

    @rule(pair=consumes(spaces))
    def destroy(self, pair: Pair) -> None:
        space, model = pair
        space.close()
        self.models = [other for other in self.models if other is not model]
        del self.mmus[space]

    @rule(
        pair=spaces,
        address=PLACES,
        length=LENGTHS,
        prot=PROTECTIONS,
        shared=st.booleans(),
    )
    def mmap(self, pair: Pair, address: int, length: int, prot: int, shared: bool) -> None:
        space, model = pair
        flags = MAP_ANONYMOUS | MAP_FIXED | (MAP_SHARED if shared else MAP_PRIVATE)
        if not self.fits(model, pages_of(address, length), prot, shared):
            with pytest.raises(OSError, match=NO_MEMORY):
                space.mmap(length, prot, flags, address)
            return
        assert space.mmap(length, prot, flags, address) == address
        self.map(model, pages_of(address, length), prot, shared)

    @rule(pair=spaces, wish=st.integers(0, SPAN), length=st.integers(1, 3 * PAGE))
    def mmap_anywhere(self, pair: Pair, wish: int, length: int) -> None:
        space, model = pair
        wish = WINDOW + wish * PAGE
        if not self.fits(model, range(-(-length // PAGE)), 3, shared=False):
            with pytest.raises(OSError, match=NO_MEMORY):
                space.mmap(length, address=wish)
            return
        address = space.mmap(length, address=wish)
        numbers = pages_of(address, length)
        assert address % PAGE == 0
        assert not any(number in model.pages for number in numbers)
        assert address == wish or any(number in model.pages for number in pages_of(wish, length))
        self.map(model, numbers, PROT_READ | PROT_WRITE, shared=False)

    @rule(
        pair=spaces,
        address=PLACES,
        length=LENGTHS,
    )
    def munmap(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        space.munmap(address, length)
        self.unmap(model, pages_of(address, length))

    @rule(
        pair=spaces,
        address=PLACES,
        length=LENGTHS,
        prot=PROTECTIONS,
    )
    def mprotect(self, pair: Pair, address: int, length: int, prot: int) -> None:
        space, model = pair
        numbers = pages_of(address, length)
        done = numbers.start
        for part in parts_of(space, numbers):
            pages = [model.pages[number] for number in part]
            new = [p for p in pages if prot & PROT_WRITE and not p.shared and not p.charged]
            if part.start != done or (new and self.committed() + len(new) > LIMIT):
                break
            for page in pages:
                page.prot = prot
                page.charged |= page in new
            done = part.stop
        self.check_call(space.mprotect, address, length, prot, done=done == numbers.stop)

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def discard(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        numbers = pages_of(address, length)
        pages = [model.pages.get(number) for number in numbers]
        for page in pages:
            if page and page.locked:
                with pytest.raises(OSError, match="Invalid"):
                    space.madvise(address, length, MADV_DONTNEED)
                return
            if page:
                page.cell = None
        self.check_call(space.madvise, address, length, MADV_DONTNEED, done=None not in pages)

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def mincore(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        pages = [model.pages.get(number) for number in pages_of(address, length)]
        if None in pages:
            with pytest.raises(OSError, match=NO_MEMORY):
                space.mincore(address, length)
            return
        possible = [
            page.shared[1] in page.shared[0].cells if page.shared else page.cell is not None
            for page in pages
        ]
        found = space.mincore(address, length)
        assert all(there <= touched for there, touched in zip(found, possible, strict=True))

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def lock(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        numbers = pages_of(address, length)
        pages = [model.pages.get(number) for number in numbers]
        new = [page for page in pages if page and not page.locked]
        if self.locked() + len(new) > MOST_LOCKED:
            self.check_call(space.mlock, address, length, done=False)
            return
        for page in takewhile(bool, pages):
            page.locked = True
        good = list(takewhile(lambda page: page.prot, pages)) if None not in pages else []
        self.check_call(space.mlock, address, length, done=len(good) == len(pages))
        for number, page in zip(numbers, good, strict=False):
            write = page.prot & PROT_WRITE and not page.shared
            self.touch(model, number, PROT_WRITE if write else PROT_READ)
            page.present = True

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def unlock(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        pages = [model.pages.get(number) for number in pages_of(address, length)]
        self.check_call(space.munlock, address, length, done=None not in pages)
        for page in takewhile(bool, pages):
            page.locked = page.present = False

    @rule(pair=spaces, address=PLACES, length=LENGTHS)
    def will_need(self, pair: Pair, address: int, length: int) -> None:
        space, model = pair
        if all(number in model.pages for number in pages_of(address, length)):
            space.madvise(address, length, MADV_WILLNEED)

    @rule(pair=spaces, size=st.integers(-PAGE, 5 * PAGE))
    def brk(self, pair: Pair, size: int) -> None:
        space, model = pair
        assert space.brk() == model.brk
        address = HEAP + size
        old, new = -(-model.brk // PAGE), -(-address // PAGE)
        grown = range(old, new)
        fits = self.fits(model, grown, 3, shared=False)
        if size < 0 or any(number in model.pages for number in grown) or not fits:
            with pytest.raises(OSError, match=NO_MEMORY):
                space.brk(address)
            return
        assert space.brk(address) == address
        self.map(model, grown, PROT_READ | PROT_WRITE, shared=False)
        self.unmap(model, range(new, old))
        model.brk = address

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
            failure = self.touch(model, number, PROT_READ)
            if failure:
                break
            expected += model.pages[number].cell.data[start : start + length]
        self.check(failure, lambda: space.load(address + offset, size), bytes(expected))

    @rule(
        pair=spaces,
        address=PLACES,
        offset=OFFSETS,
        data=DATA,
        other=st.booleans(),
    )
    def store(self, pair: Pair, address: int, offset: int, data: bytes, other: bool) -> None:
        space, model = self.through(pair, other)
        parts = list(chunks(address + offset, len(data)))
        failure = None
        if len(parts) == 2 and len(data) <= PAGE:
            failure = self.touch(model, parts[1][0], PROT_WRITE)
        for number, start, done, length in parts:
            failure = failure or self.touch(model, number, PROT_WRITE)
            if failure:
                break
            model.pages[number].cell.data[start : start + length] = data[done : done + length]
        self.check(failure, lambda: space.store(address + offset, data), None)

    @rule(pair=spaces, byte=st.binary(min_size=1, max_size=1), other=st.booleans())
    def scribble(self, pair: Pair, byte: bytes, other: bool) -> None:
        """One byte into every page, so that what is shared by mistake shows."""
        space, model = self.through(pair, other)
        for number, page in model.pages.items():
            failure = self.touch(model, number, PROT_WRITE)
            if not failure:
                page.cell.data[9:10] = byte
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
        kind = SegmentationFault if failure == errno.EFAULT else OSError
        with pytest.raises(kind, match="segmentation" if failure == errno.EFAULT else NO_MEMORY):
            access()

    def check_call(self, call: Callable[..., None], *arguments: int, done: bool) -> None:
        if done:
            call(*arguments)
            return
        with pytest.raises(OSError, match=NO_MEMORY):
            call(*arguments)

    # What must always hold.

    @invariant()
    def no_frame_is_lost_and_none_is_used_twice(self) -> None:
        info = self.memory.meminfo()
        assert (info.spaces, info.committed) == (len(self.models), self.committed())
        assert info.locked == self.locked()
        used = info.frames - info.free_frames
        assert used + info.swap - info.free_swap >= self.written_cells()
        counts = memoryview(self.tables)[COUNTS:][: 4 * FRAMES].cast("I").tolist()
        assert sum(map(bool, counts)) == used
        mapped = Counter(
            frame_of(entry) for space in self.mmus for entry in entries_of(space) if entry & PRESENT
        )
        for frame, count in enumerate(counts):
            assert count - mapped[frame] in {0, 1}  # a memory object may hold it, too

    @invariant()
    def what_is_locked_is_in_memory(self) -> None:
        for model, space in zip(self.models, self.mmus, strict=True):
            for number, page in model.pages.items():
                if page.present:
                    assert space.mincore(number * PAGE, PAGE) == b"\1"

    @invariant()
    def every_byte_of_every_page_agrees_through_both_mmus(self) -> None:
        for model, space in zip(self.models, self.mmus, strict=True):
            for number, page in model.pages.items():
                if page.cell and page.prot:
                    data = bytes(page.cell.data)
                    assert space.load(number * PAGE, PAGE) == data
                    assert self.mmus[space].load(number * PAGE, PAGE) == data

    @invariant()
    def no_page_is_writable_and_copied_on_write(self) -> None:
        for model, space in zip(self.models, self.mmus, strict=True):
            for number, page in model.pages.items():
                if page.cell:
                    entry = space._mmu._words[space._mmu._walker.find(number)]
                    assert not entry & PRESENT or not entry & SWAPPED
                    assert not (entry & WRITABLE and entry & COPY_ON_WRITE)

    @rule(pair=spaces)
    def accounts_and_maps_agree(self, pair: Pair) -> None:
        space, model = pair
        usage = space.statm()
        touched = [page for page in model.pages.values() if page.cell]
        written = [page for page in touched if not page.shared and page.cell.written]
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
        assert not any(b.continues(a) for a, b in pairwise(areas))
        shown = {
            number: (area.prot, bool(area.flags & MAP_SHARED))
            for area in areas
            for number in range(area.start // PAGE, area.end // PAGE)
        }
        assert shown == {n: (page.prot, bool(page.shared)) for n, page in model.pages.items()}


def parts_of(space: AddressSpace, numbers: range) -> Iterator[range]:
    """The pages of each area of a space, as far as these are among them."""
    for area in space.maps():
        start, end = max(area.start // PAGE, numbers.start), min(area.end // PAGE, numbers.stop)
        if start < end:
            yield range(start, end)


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
        ("microkernel", "second-chance", 50),
    ],
)
def test_address_spaces_behave_like_the_model(kernel: str, policy: str, examples: int) -> None:
    few = {"pages": FRAMES, "page_tables": 200, "spaces": 64, "policy": policy}
    with boot(
        kernel, MemoryManager, config={MemoryManager: few, SwapDisk: {"blocks": SLOTS}}
    ) as system:
        run_state_machine_as_test(
            lambda: Spaces(system),
            settings=settings(max_examples=examples, stateful_step_count=40),
        )
        events = system[MemoryManager].vmstat()
        assert events.evictions > 10 * examples
        assert events.written > examples
        assert events.major > examples
