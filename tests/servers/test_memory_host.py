"""The memory manager against Linux itself: the same calls, the same errors and the same bytes.

The host's calls work in an arena at an address near which nothing else of this process ever is.
"""

import ctypes
import errno
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System, boot
from servers.memory import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_PRIVATE,
    MAP_SHARED,
    MS_INVALIDATE,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    AddressSpace,
    MemoryManager,
)
from tests.servers.spaces import errno_of, new

PAGE = 4096
ARENA = 0x60_0000_0000
SPAN = 8
MAP_FAILED = 2**64 - 1

libc = ctypes.CDLL(None, use_errno=True)
_word = ctypes.c_size_t
libc.mmap.argtypes = [_word, _word, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mmap.restype = _word
libc.munmap.argtypes = [_word, _word]
libc.mprotect.argtypes = [_word, _word, ctypes.c_int]
libc.madvise.argtypes = libc.msync.argtypes = [_word, _word, ctypes.c_int]
libc.mlock.argtypes = libc.munlock.argtypes = [_word, _word]


class Host:
    """Linux: what it does to this very process, in the arena."""

    def mmap(self, length: int, prot: int, flags: int, address: int) -> None:
        if libc.mmap(address, length, prot, flags, -1, 0) == MAP_FAILED:
            raise OSError(ctypes.get_errno(), "mmap")

    def __getattr__(self, name: str) -> Callable[..., None]:
        """A call that returns no more than whether it failed."""

        def call(*arguments: int) -> None:
            if getattr(libc, name)(*arguments):
                raise OSError(ctypes.get_errno(), name)

        return call

    def permissions(self) -> dict[int, str]:
        """Those of every page, as /proc shows them."""
        pages: dict[int, str] = {}
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            for line in maps:
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                if ARENA <= start < ARENA + 2 * SPAN * PAGE:
                    pages |= dict.fromkeys(range(start, end, PAGE), line.split()[1])
        return pages


def permissions(space: AddressSpace) -> dict[int, str]:
    pages: dict[int, str] = {}
    for area in space.maps():
        pages |= dict.fromkeys(range(area.start, area.end, PAGE), str(area).split()[1])
    return pages


ADDRESSES = st.integers(0, SPAN - 1).map(lambda page: ARENA + page * PAGE)
ODD_ADDRESSES = ADDRESSES.map(lambda address: address + 1)
NO_ADDRESSES = st.sampled_from([2**64 - PAGE, 2**63])
LENGTHS = st.integers(1, 4 * PAGE)
# Longer than all memory: shorter ones might, on the host, reach what this process lives in.
NO_LENGTHS = st.sampled_from([0, 2**63, 2**64 - PAGE, 2**64 - 1])
# Advice is followed up to the last address, gaps or not: none that reaches beyond the arena.
ADVISED = st.one_of(LENGTHS, LENGTHS, LENGTHS, st.sampled_from([0, 2**64 - PAGE, 2**64 - 1]))
PLACES = st.one_of(ADDRESSES, ADDRESSES, ADDRESSES, ADDRESSES, ODD_ADDRESSES, NO_ADDRESSES)
SIZES = st.one_of(LENGTHS, LENGTHS, LENGTHS, LENGTHS, NO_LENGTHS)
PROTECTIONS = st.sampled_from(
    [PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_EXEC, *[PROT_READ | PROT_WRITE] * 3]
)
TYPES = st.sampled_from([*[MAP_PRIVATE] * 4, *[MAP_SHARED] * 2, 0, MAP_SHARED | MAP_PRIVATE])
FLAGS = st.builds(
    lambda kind, fixed, anonymous: kind | fixed | anonymous,
    TYPES,
    st.sampled_from([MAP_FIXED, MAP_FIXED, MAP_FIXED_NOREPLACE]),
    st.sampled_from([*[MAP_ANONYMOUS] * 5, 0]),
)
STEPS = st.one_of(
    st.tuples(st.just("mmap"), SIZES, PROTECTIONS, FLAGS, PLACES),
    st.tuples(st.just("munmap"), PLACES, SIZES),
    st.tuples(st.just("mprotect"), PLACES, SIZES, PROTECTIONS | st.sampled_from([8, 2**30])),
    st.tuples(st.just("madvise"), PLACES, ADVISED, st.sampled_from([0, 3, 4, 4, 4, -1])),
    st.tuples(st.just("mlock"), PLACES, SIZES),
    st.tuples(st.just("munlock"), PLACES, SIZES),
    st.tuples(st.just("msync"), PLACES, SIZES, st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8])),
    st.tuples(st.just("store"), ADDRESSES, st.binary(min_size=1, max_size=3)),
)


def store(space: AddressSpace, allowed: str, address: int, data: bytes) -> None:
    if allowed[1:2] == "w":
        space.store(address + PAGE - 3, data)
        ctypes.memmove(address + PAGE - 3, data, len(data))
    else:
        assert errno_of(space.store, address + PAGE - 3, data) == errno.EFAULT


def follow(space: AddressSpace, host: Host, steps: list[tuple[Any, ...]]) -> None:
    for name, *arguments in steps:
        if name == "store":
            store(space, host.permissions().get(arguments[0], ""), *arguments)
            continue
        expected = errno_of(getattr(host, name), *arguments)
        assert errno_of(getattr(space, name), *arguments) == expected
        assert permissions(space) == host.permissions()
    for address, allowed in host.permissions().items():
        asked = address, PAGE, MS_INVALIDATE  # EBUSY: it is locked
        assert errno_of(space.msync, *asked) == errno_of(host.msync, *asked)
        if allowed[0] == "r":
            assert space.load(address, PAGE) == ctypes.string_at(address, PAGE)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with boot("monolithic", MemoryManager) as system:
        yield system


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=30))
def test_the_same_calls_do_the_same_as_on_linux(
    system: System, steps: list[tuple[Any, ...]]
) -> None:
    host = Host()
    with new(system) as space:
        try:
            follow(space, host, steps)
        finally:
            host.munmap(ARENA, 2 * SPAN * PAGE)
