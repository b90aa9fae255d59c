"""Micro workloads of virtual memory: mapping, faults, fork, loads and stores."""

from typing import Final

from servers.filesystem import FileSystem
from servers.memory import AddressSpace, MemoryManager
from servers.memory.layout import PAGE_SIZE
from workloads.workload import Operation, Program, User, equals, workload

TOUCHED: Final = 128
"""Pages that one call of a fault workload touches."""


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


@workload("memory", {f"map-{pages}": {"pages": pages} for pages in (1, 64, 1024)})
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
    with space_of(memory, user) as parent:
        start = parent.mmap(pages * PAGE_SIZE)
        store_each(parent, start, pages, b"p")

        def fork_and_store() -> bytes:
            with parent.fork() as child:
                child.store(start, b"c")
                return child.load(start, 1) + parent.load(start, 1)

        yield Operation(fork_and_store, check=equals(b"cp"))


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
