"""What of the memory manager outlives it by its journal: all changes so far (see `ledger`)."""

from collections.abc import Iterator
from typing import Any

from servers.memory.areas import Area
from servers.memory.homes import Family
from servers.memory.ledger import Change, read
from servers.memory.limits import Limit, Limits
from servers.memory.machine import Machine
from servers.memory.objects import NamedObject
from servers.memory.recovery import recover
from servers.memory.space import Space
from servers.memory.state import Descriptors, Kill, keep_kill


class Chronicle:
    """All that there is, to tell of it and to be told; its methods are the ledger's words.

    Args:
        machine: what address spaces share.
        spaces, kills, named, descriptors: as in `MemoryState`.
    """

    def __init__(
        self,
        machine: Machine,
        spaces: dict[int, Space],
        kills: dict[int, Kill],
        shared: dict[str, NamedObject],
        descriptors: Descriptors,
    ) -> None:
        self._machine = machine
        self._spaces = spaces
        self._kills = kills
        self._shared = shared
        self._descriptors = descriptors

    def told(self) -> Iterator[Change]:
        """All that there is, as changes."""
        objects = self._machine.objects
        yield "last", objects.last
        yield from (one.told() for one in objects)
        yield from (("named", name, one.number) for name, one in self._shared.items())
        for caller, mine in self._descriptors.items():
            for fd, (one, writable) in mine.items():
                yield "opened", caller, fd, one.number, writable
        for space in self._spaces.values():
            yield "begun", space.number, space.owner, space.family.number
            yield from (("area", space.number, *area) for area in space.areas)
            yield "brk", space.number, space.heap_end
            for resource, limit in space.limits.all():
                yield "limited", space.number, resource, *limit
        yield from (("killed", *kill) for kill in self._kills.values())

    def tell(self, changes: bytes) -> None:
        """Be told of changes."""
        for word, *about in read(changes):
            getattr(self, word)(*about)

    def complete(self) -> None:
        """All has been told: find the rest in the regions."""
        for one in self._shared.values():
            one.keepers += 1
        for mine in self._descriptors.values():
            for one, _ in mine.values():
                one.keepers += 1
        recover(self._machine, self._spaces)

    # What the ledger has a word for.

    def last(self, number: int) -> None:
        """A number was given."""
        self._machine.objects.last = max(self._machine.objects.last, number)

    def begun(self, number: int, owner: int, family: int) -> None:
        """A space began."""
        self.last(family)
        of_it = (s.family for s in self._spaces.values() if s.family.number == family)
        self._take_up(number, owner, next(of_it, None) or Family(family), Limits())

    def copied(self, number: int, parent: int, owner: int) -> None:
        """A space is a copy of another."""
        source = self._spaces[parent]
        space = self._take_up(number, owner, source.family, source.limits.copy())
        for area in source.areas:
            space.areas.add(area._replace(locked=False))
        space.heap_end = source.heap_end

    def _take_up(self, number: int, owner: int, family: Family, limits: Limits) -> Space:
        root = self._machine.slots.root(number)
        space = self._spaces[number] = Space(self._machine, number, owner, root, family, limits)
        return space

    def ended(self, number: int) -> None:
        """A space ended."""
        space = self._spaces.pop(number)
        del space.family.spaces[number]

    def killed(self, *kill: int) -> None:
        """It had to."""
        keep_kill(self._kills, Kill(*kill))

    def area(self, number: int, *area: Any) -> None:
        """Something is mapped where nothing was."""
        self._spaces[number].areas.add(Area(*area))

    def gone(self, number: int, start: int, end: int) -> None:
        """Nothing is mapped there any more."""
        self._spaces[number].areas.remove(start, end)

    def brk(self, number: int, address: int) -> None:
        """A break was moved."""
        self._spaces[number].heap_end = address

    def limited(self, number: int, resource: int, soft: int, hard: int) -> None:
        """A limit was set."""
        self._spaces[number].limits.set(resource, Limit(soft, hard), superuser=True)

    def object(self, number: int, charged: int) -> None:
        """An object of zeros was made."""
        self.last(number)
        self._machine.objects.made(number, charged)

    def file(self, number: int, file: int) -> None:
        """A file was mapped."""
        self.last(number)
        self._machine.objects.made_of_file(number, file)

    def memory(self, number: int, uid: int, gid: int, mode: int, size: int) -> None:
        """Shared memory was made."""
        self.last(number)
        self._machine.objects.made_named(number, uid, gid, mode, size)

    def _shared_memory(self, number: int) -> NamedObject:
        one = self._machine.objects[number]
        if not isinstance(one, NamedObject):
            raise TypeError(f"object {number} is no shared memory")
        return one

    def sized(self, number: int, size: int) -> None:
        """It was given a size."""
        self._shared_memory(number).restore(size)

    def named(self, name: str, number: int) -> None:
        """It has a name."""
        self._shared[name] = self._shared_memory(number)

    def unnamed(self, name: str) -> None:
        """Something has this name no more."""
        del self._shared[name]

    def opened(self, caller: int, fd: int, number: int, writable: bool) -> None:
        """It was opened."""
        one = self._shared_memory(number)
        self._descriptors.setdefault(caller, {})[fd] = one, writable

    def closed(self, caller: int, fd: int) -> None:
        """A descriptor was closed."""
        del self._descriptors[caller][fd]
