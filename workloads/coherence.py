"""One file in two services' hands: mapped by one, cut by the other.

What a program asks is two requests; what the services then say to each other is the price of data
that both of them know.
"""

import os
from typing import Final

from servers.filesystem import FileSystem
from servers.memory import MAP_SHARED, PROT_READ, PROT_WRITE, BusError, MemoryManager
from servers.memory.layout import PAGE_SIZE
from workloads.memory import load_each, space_of, store_each
from workloads.workload import Operation, Program, User, equals, workload

PAGES: Final = 16


@workload("coherence", extra=True)
def cut_plain(fs: FileSystem) -> Program:
    """Write a page to the start of a file of 16, and cut the file to nothing."""
    size = PAGES * PAGE_SIZE
    fd = fs.open("/cut", os.O_RDWR | os.O_CREAT)

    def cut() -> int:
        fs.pwrite(fd, bytes(PAGE_SIZE), 0)
        fs.ftruncate(fd, 0)
        return fs.fstat(fd).st_size

    yield Operation(cut, check=equals(0), reset=lambda: fs.ftruncate(fd, size))
    fs.close(fd)
    fs.unlink("/cut")


@workload("coherence", extra=True)
def cut_mapped(memory: MemoryManager, fs: FileSystem, user: User) -> Program:
    """The same while the file is mapped: stored pages come back by `pread`, cut ones are SIGBUS."""
    size = PAGES * PAGE_SIZE
    fd = fs.open("/cut", os.O_RDWR | os.O_CREAT)
    fs.ftruncate(fd, size)
    with space_of(memory, user) as space:
        start = space.mmap(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd=fd)
        store_each(space, start, PAGES, b"s")

        def cut() -> tuple[bytes, int]:
            space.store(start, b"t")
            read = fs.pread(fd, 1, 0)
            fs.ftruncate(fd, 0)
            return read, _gone()

        def _gone() -> int:
            """How many pages raise SIGBUS."""
            gone = 0
            for address in range(start, start + size, PAGE_SIZE):
                try:
                    space.load(address, 1)
                except BusError:
                    gone += 1
            return gone

        def anew() -> None:
            fs.ftruncate(fd, size)
            equals(bytes(PAGES))(load_each(space, start, PAGES))
            store_each(space, start, PAGES, b"s")

        yield Operation(cut, check=equals((b"t", PAGES)), reset=anew)
    fs.close(fd)
    fs.unlink("/cut")
