"""Recorded programs: what a program of `workloads.paged` touches in a real memory manager."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from kernels import boot
from kernels.system import User
from lab.references import PAGE
from servers.filesystem import FileSystem
from servers.memory import AddressSpace, MemoryManager, SwapDisk
from twinos import Service
from workloads.paged import PROGRAMS


class Access(NamedTuple):
    """A load or a store.

    Attributes:
        kind: `R` or `W`.
        address: where.
        size: bytes.
    """

    kind: str
    address: int
    size: int

    def __str__(self) -> str:
        return f"{self.kind} {self.address:#x},{self.size}"

    def pages(self) -> Iterator[int]:
        """The pages that it touches."""
        last = self.address + max(self.size, 1) - 1
        return iter(range(self.address // PAGE, last // PAGE + 1))


def space_of(user: User) -> AddressSpace:
    """A new address space of a user."""
    frames, tables = (user.region(MemoryManager, name) for name in ("frames", "tables"))
    files = user.region(FileSystem, "pages")
    return AddressSpace(user[MemoryManager], frames, tables, files=files)


def record(program: str) -> list[Access]:
    """Run a program, and note what it loads and stores, in its order."""
    accesses: list[Access] = []
    with boot("monolithic", MemoryManager) as system, space_of(system) as space:
        listen(space, accesses.append)
        PROGRAMS[program](space)
    return accesses


def listen(space: AddressSpace, heard: Callable[[Access], None]) -> None:
    """Have `heard` called for each load and store through this object, before it is done."""
    load, store = space.load, space.store

    def loading(address: int, size: int) -> bytes:
        heard(Access("R", address, size))
        return load(address, size)

    def storing(address: int, data: bytes) -> None:
        heard(Access("W", address, len(data)))
        store(address, data)

    space.load, space.store = loading, storing


def references_of(accesses: Iterable[Access]) -> list[int]:
    """The pages that accesses touch, one after the other."""
    return [page for access in accesses for page in access.pages()]


def live_faults(kernel: str, policy: str, frames: int, references: Iterable[int], seed: int) -> int:
    """How many pages a real memory manager brings in for these references.

    It has so many frames, its policy is told of each reference, and each is a load.
    """
    pages: dict[int, int] = {}
    places = [pages.setdefault(page, len(pages)) for page in references]
    config: dict[type[Service], dict[str, Any]] = {
        MemoryManager: {"pages": frames, "policy": policy, "seed": seed, "quantum": 0},
        SwapDisk: {"blocks": max(len(pages), 1)},
    }
    with boot(kernel, MemoryManager, config=config) as system, space_of(system) as space:
        memory = system[MemoryManager]
        start = space.mmap(len(pages) * PAGE)
        for place in places:
            space.load(start + place * PAGE, 1)
            memory.tick()
        return memory.vmstat().brought
