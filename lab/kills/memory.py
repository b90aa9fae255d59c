"""A client that uses memory: what it stored is there, and what it shares is seen by both sides."""

from typing import Final

from kernels import System
from lab.kills.client import Client
from servers.filesystem import FileSystem
from servers.memory import (
    MADV_DONTNEED,
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
    AddressSpace,
    MemoryManager,
    SegmentationFault,
)

PAGE: Final = 4096
FRAMES: Final = 48
"""Of physical memory: fewer than the client has pages, so that there is swapping."""
_MOST: Final = 40
"""Pages of one space."""
_SPACES: Final = 3
_BOTH: Final = PROT_READ | PROT_WRITE
_WEIGHTS: Final = {
    "store": 40,
    "load": 30,
    "map": 8,
    "unmap": 6,
    "protect": 4,
    "discard": 3,
    "fork": 3,
    "close": 3,
    "ask": 3,
}


class _Page:
    """A page as it must be: its bytes, and whether it may be written, and is shared by a fork."""

    def __init__(self, data: bytearray, *, shared: bool, writable: bool = True) -> None:
        self.data = data
        self.shared = shared
        self.writable = writable


class _Model:
    """What one address space must have: pages by their addresses."""

    def __init__(self, space: AddressSpace, pages: dict[int, _Page]) -> None:
        self.space = space
        self.pages = pages

    def fork(self) -> "_Model":
        """A copy: what is shared stays so."""
        pages = {
            address: _Page(
                page.data if page.shared else bytearray(page.data),
                shared=page.shared,
                writable=page.writable,
            )
            for address, page in self.pages.items()
        }
        return _Model(self.space.fork(), pages)


class MemoryClient(Client):
    """A user with address spaces, and the flat memory that each of them should be.

    What it counts are accesses, too.
    """

    def __init__(self, system: System, seed: str) -> None:
        super().__init__(system, "memory", seed)
        regions = (self._user.region(MemoryManager, name) for name in ("frames", "tables"))
        files = self._user.region(FileSystem, "pages")
        first = AddressSpace(self._user[MemoryManager], *regions, files=files)
        self._models = [_Model(first, {})]
        self._begin()

    def _step(self) -> None:
        (what,) = self._rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        getattr(self, f"_{what}")(self._rng.choice(self._models))
        self.requests += 1

    def _finish(self) -> None:
        for model in self._models:
            self._ask(model)
            for address in model.pages:
                self._compare(model, address)

    def _some(self, model: _Model) -> int | None:
        return self._rng.choice(list(model.pages)) if model.pages else None

    def _compare(self, model: _Model, address: int) -> None:
        if model.space.load(address, PAGE) != model.pages[address].data:
            self._wrong.append(f"space {model.space.number} has other bytes at {address:#x}")

    def _store(self, model: _Model) -> None:
        address = self._some(model)
        if address is None:
            return
        page, data = model.pages[address], self._rng.randbytes(self._rng.choice([1, 8, 100]))
        start = self._rng.randrange(PAGE - len(data))
        try:
            model.space.store(address + start, data)
        except SegmentationFault:
            if page.writable:
                self._wrong.append(f"a store to {address:#x} was refused")
            return
        if not page.writable:
            self._wrong.append(f"a store to {address:#x} was allowed")
        page.data[start : start + len(data)] = data

    def _load(self, model: _Model) -> None:
        address = self._some(model)
        if address is not None:
            self._compare(model, address)

    def _map(self, model: _Model) -> None:
        count = self._rng.randrange(1, 6)
        if len(model.pages) + count > _MOST:
            return
        shared = self._rng.random() < 0.3
        flags = MAP_ANONYMOUS | (MAP_SHARED if shared else MAP_PRIVATE)
        start = model.space.mmap(count * PAGE, _BOTH, flags)
        for address in range(start, start + count * PAGE, PAGE):
            if address in model.pages:
                self._wrong.append(f"{address:#x} was mapped twice")
            model.pages[address] = _Page(bytearray(PAGE), shared=shared)

    def _unmap(self, model: _Model) -> None:
        address = self._some(model)
        if address is not None:
            model.space.munmap(address, PAGE)
            del model.pages[address]

    def _protect(self, model: _Model) -> None:
        address = self._some(model)
        if address is not None:
            page = model.pages[address]
            page.writable = not page.writable
            model.space.mprotect(address, PAGE, _BOTH if page.writable else PROT_READ)

    def _discard(self, model: _Model) -> None:
        address = self._some(model)
        if address is not None and not model.pages[address].shared:
            model.space.madvise(address, PAGE, MADV_DONTNEED)
            model.pages[address].data[:] = bytes(PAGE)

    def _fork(self, model: _Model) -> None:
        if len(self._models) < _SPACES:
            self._models.append(model.fork())

    def _close(self, model: _Model) -> None:
        if len(self._models) > 1:
            self._models.remove(model)
            model.space.close()

    def _ask(self, model: _Model) -> None:
        """What it is told of the space is what is mapped there."""
        told = {
            address: bool(area.prot & PROT_WRITE)
            for area in model.space.maps()
            for address in range(area.start, area.end, PAGE)
        }
        if told != {address: page.writable for address, page in model.pages.items()}:
            self._wrong.append(f"space {model.space.number} has other areas")
