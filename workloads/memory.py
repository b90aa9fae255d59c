"""Micro workloads of virtual memory: mapping, faults, fork, loads and stores."""

import os
from typing import Final

from servers.filesystem import FileSystem
from servers.memory import MAP_SHARED, PROT_READ, AddressSpace, MemoryManager
from servers.memory.layout import PAGE_SIZE
from servers.memory.policies import policies
from workloads.workload import Config, Operation, Program, User, equals, workload

TOUCHED: Final = 128
"""Pages that one call of a fault workload touches."""


SLICES: Final = 1000
"""Slices that one call of their workloads takes."""


def space_of(memory: MemoryManager, user: User) -> AddressSpace:
    """A new address space of `user`."""
    frames, tables = (user.region(MemoryManager, name) for name in ("frames", "tables"))
    return AddressSpace(memory, frames, tables, files=user.region(FileSystem, "pages"))


def store_each(space: AddressSpace, start: int, pages: int, byte: bytes) -> None:
    """Store one byte at the start of each of some pages."""
    store = space.store
    for address in range(start, start + pages * PAGE_SIZE, PAGE_SIZE):
        store(address, byte)


def load_each(space: AddressSpace, start: int, pages: int) -> bytes:
    """The first byte of each of some pages."""
    ends = range(start, start + pages * PAGE_SIZE, PAGE_SIZE)
    return b"".join(space.load(address, 1) for address in ends)


@workload("memory", {f"map-{pages}": {"pages": pages} for pages in (1, 64, 1024, 262_144)})
def map_unmap(memory: MemoryManager, user: User, pages: int) -> Program:
    """Map an anonymous area and unmap it, untouched; its pages: {pages:,}."""
    with space_of(memory, user) as space:
        size = pages * PAGE_SIZE
        yield Operation(lambda: space.munmap(space.mmap(size), size))
        equals(())(space.maps())


@workload("memory")
def fault_zero(memory: MemoryManager, user: User) -> Program:
    """Store to a page for the first time: a fault that finds it a frame of zeros; 128 in a row."""
    size = TOUCHED * PAGE_SIZE
    with space_of(memory, user) as space:
        start = space.mmap(size)

        def check(_: None) -> None:
            equals(0)(space.statm().copies)

        def anew() -> None:
            equals(TOUCHED)(space.statm().resident)
            space.munmap(start, size)
            equals(start)(space.mmap(size))

        yield Operation(lambda: store_each(space, start, TOUCHED, b"z"), check, TOUCHED, anew)


@workload("memory")
def fault_cow(memory: MemoryManager, user: User) -> Program:
    """Store to a page shared since fork: a fault that copies it; 128 in a row."""
    with space_of(memory, user) as parent:
        start = parent.mmap(TOUCHED * PAGE_SIZE)
        store_each(parent, start, TOUCHED, b"p")
        children = [parent.fork()]

        def anew() -> None:
            child = children.pop()
            equals(b"c" * TOUCHED)(load_each(child, start, TOUCHED))
            equals(TOUCHED)(child.statm().copies)
            child.close()
            children.append(parent.fork())

        yield Operation(
            lambda: store_each(children[0], start, TOUCHED, b"c"), ops=TOUCHED, reset=anew
        )
        equals(b"p" * TOUCHED)(load_each(parent, start, TOUCHED))
        children[0].close()


@workload("memory", {f"fork-{pages}": {"pages": pages} for pages in (64, 1024)})
def fork(memory: MemoryManager, user: User, pages: int) -> Program:
    """Fork an address space of {pages:,} resident pages, store to one, and end the copy."""
    yield from _forking(memory, user, pages)


@workload(
    "memory",
    {f"fork-{pages}": {"pages": pages} for pages in (100, 10_000, 100_000)},
    config={MemoryManager: {"pages": 1 << 17}},
    extra=True,
)
def fork_large(memory: MemoryManager, user: User, pages: int) -> Program:
    """Fork an address space of {pages:,} resident pages, store to one, and end the copy."""
    yield from _forking(memory, user, pages)


@workload("memory", extra=True)
def fork_spread(memory: MemoryManager, user: User, pages: int = 64) -> Program:
    """Fork an address space of {pages:,} resident pages, each in a page table of its own."""
    yield from _forking(memory, user, pages, 512)


def _forking(memory: MemoryManager, user: User, pages: int, apart: int = 1) -> Program:
    with space_of(memory, user) as parent:
        start = parent.mmap(pages * apart * PAGE_SIZE)
        for address in range(start, start + pages * apart * PAGE_SIZE, apart * PAGE_SIZE):
            parent.store(address, b"p")

        def fork_and_store() -> bytes:
            with parent.fork() as child:
                child.store(start, b"c")
                return child.load(start, 1) + parent.load(start, 1)

        yield Operation(fork_and_store, check=equals(b"cp"))


@workload("memory")
def fault_file(memory: MemoryManager, files: FileSystem, user: User) -> Program:
    """Load from a page of a mapped file for the first time; the file is in memory; 128 in a row."""
    size = TOUCHED * PAGE_SIZE
    fd = files.open("/mapped", os.O_RDWR | os.O_CREAT)
    files.write(fd, b"f" * size)
    with space_of(memory, user) as space:
        start = space.mmap(size, PROT_READ, MAP_SHARED, fd=fd)

        def anew() -> None:
            space.munmap(start, size)
            equals(start)(space.mmap(size, PROT_READ, MAP_SHARED, fd=fd))

        yield Operation(
            lambda: load_each(space, start, TOUCHED), equals(b"f" * TOUCHED), TOUCHED, anew
        )
    files.close(fd)
    files.unlink("/mapped")


@workload("memory")
def load(memory: MemoryManager, user: User) -> Program:
    """Load 8 bytes from a page whose translation is in the TLB."""
    with space_of(memory, user) as space:
        start = space.mmap(PAGE_SIZE)
        space.store(start, b"twinos!!")
        yield Operation(lambda: space.load(start, 8), check=equals(b"twinos!!"))


@workload("memory")
def store(memory: MemoryManager, user: User) -> Program:
    """Store 8 bytes to a page whose translation is in the TLB."""
    with space_of(memory, user) as space:
        start = space.mmap(PAGE_SIZE)
        yield Operation(lambda: space.store(start, b"twinos!!"))
        equals(b"twinos!!")(space.load(start, 8))


@workload("memory")
def slice_load(memory: MemoryManager) -> Program:
    """What a load is measured by: a slice of 8 bytes of a bytearray, and no call; a thousand."""
    del memory
    data, start = bytearray(PAGE_SIZE), 64

    def slices() -> None:
        for _ in range(SLICES):
            data[start : start + 8]

    yield Operation(slices, ops=SLICES)


@workload("memory")
def slice_store(memory: MemoryManager) -> Program:
    """What a store is measured by: 8 bytes into a slice of a bytearray, no call; a thousand."""
    del memory
    data, start = bytearray(PAGE_SIZE), 64

    def slices() -> None:
        for _ in range(SLICES):
            data[start : start + 8] = b"twinos!!"

    yield Operation(slices, ops=SLICES)
    equals(b"twinos!!")(data[start : start + 8])


LARGE: Final[Config] = {MemoryManager: {"pages": 1 << 17}}


@workload(
    "memory",
    {f"touch-{pages}": {"pages": pages} for pages in (100, 1_000, 10_000)},
    config=LARGE,
    extra=True,
)
def touch(memory: MemoryManager, user: User, pages: int) -> Program:
    """Store to {pages:,} pages for the first time, one after the other; of each."""
    yield from _touching(memory, user, pages)


@workload("memory", config=LARGE, full={"pages": 100_000}, extra=True)
def touch_many(memory: MemoryManager, user: User, pages: int = 10_000) -> Program:
    """Store to {pages:,} pages for the first time, one after the other; of each."""
    yield from _touching(memory, user, pages)


def _touching(memory: MemoryManager, user: User, pages: int) -> Program:
    with space_of(memory, user) as space:
        start = space.mmap(pages * PAGE_SIZE)

        def anew() -> None:
            space.munmap(start, pages * PAGE_SIZE)
            equals(start)(space.mmap(pages * PAGE_SIZE))

        yield Operation(lambda: store_each(space, start, pages, b"t"), ops=pages, reset=anew)


def paging(memory: MemoryManager, user: User) -> Program:
    """Load from each of 128 pages in turn, with 64 frames; of each. The pages have been written."""
    with space_of(memory, user) as space:
        start = space.mmap(TOUCHED * PAGE_SIZE)
        store_each(space, start, TOUCHED, b"p")

        def around() -> bytes:
            memory.vmstat()  # as who watches for thrashing does, once a round
            return load_each(space, start, TOUCHED)

        yield Operation(around, equals(b"p" * TOUCHED), ops=TOUCHED)


for _policy in (policy for policy in policies().values() if not policy.clairvoyant):
    workload(
        "memory",
        {f"page-{_policy.name}"[:16]: {}},
        config={MemoryManager: {"pages": TOUCHED // 2, "policy": _policy.name}},
        extra=True,
    )(paging)
