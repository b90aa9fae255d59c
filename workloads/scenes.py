"""Scenes from the life of a memory: small steps, each of which shows one thing."""

import os
from collections.abc import Callable, Iterator
from typing import Final

from servers.filesystem import FileSystem
from servers.memory import MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE, AddressSpace
from servers.memory.layout import PAGE_SIZE
from workloads.workload import User

Spaces = dict[str, AddressSpace]
Scene = Iterator[str]
"""What a scene does, and then says, step by step."""

FRAMES: Final = 16
_BOTH: Final = PROT_READ | PROT_WRITE


def play(user: User, new: Callable[[], AddressSpace], spaces: Spaces) -> Scene:
    """One program, its child, a mapped file, and too few frames for all of that.

    Args:
        user: whose files there are.
        new: makes an address space.
        spaces: those that there are, by name; kept up to date.
    """
    parent = spaces["parent"] = new()
    heap = parent.mmap(12 * PAGE_SIZE)
    yield "The parent maps 12 pages. Mapping costs nothing: no page has a frame yet."
    _touch(parent, heap, range(6))
    yield "It stores to 6 of them: 6 page faults, 6 frames of zeros."
    parent.load(heap + 6 * PAGE_SIZE, 1)
    yield "It loads from one more: that page need not be kept as long as it is zeros."
    child = spaces["child"] = parent.fork()
    yield "It forks. The child has the same frames; both are to ask before they store."
    _touch(child, heap, range(2))
    yield "The child stores to 2 pages, and gets copies of them."
    shown = _map_file(user, child)
    yield "The child maps a file of 3 pages, shared, and loads from it."
    _touch(child, shown, range(1))
    user[FileSystem].sync()
    yield "It stores to the file's first page; a `read` sees it at once, and `sync` writes it."
    _touch(child, heap, range(12))
    yield "It stores to all 12 pages: frames run short, and the policy names those that go."
    _touch(parent, heap, range(12))
    yield "So does the parent. Now both page against each other."
    for _ in range(3):
        for space in (parent, child):
            _touch(space, heap, range(12))
    yield "They go on, in turn, three times: this is thrashing. Look at the major faults."
    child.close()
    del spaces["child"]
    yield "The child ends. Its frames and its slots are free."
    parent.mlock(heap, 4 * PAGE_SIZE)
    yield "The parent locks 4 pages: they are in frames, and stay there."
    parent.madvise(heap + 6 * PAGE_SIZE, 6 * PAGE_SIZE, 4)
    yield "It does not need the last 6 any more: they are zeros again, and cost nothing."
    parent.close()
    del spaces["parent"]
    yield "The parent ends. Nothing is left."


def _touch(space: AddressSpace, start: int, pages: range) -> None:
    for page in pages:
        space.store(start + page * PAGE_SIZE, b"stored")


def _map_file(user: User, space: AddressSpace) -> int:
    files = user[FileSystem]
    fd = files.open("/mapped", os.O_RDWR | os.O_CREAT)
    files.write(fd, b"of a file " * 1200)
    start = space.mmap(3 * PAGE_SIZE, _BOTH, MAP_SHARED, 0, fd)
    private = space.mmap(PAGE_SIZE, _BOTH, MAP_PRIVATE, 0, fd)
    space.load(start, 3 * PAGE_SIZE)
    space.load(private, 1)
    return start
