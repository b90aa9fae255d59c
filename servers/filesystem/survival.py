"""What survives the file system, beside its disk: open files, positions, working directories.

At each commit all of it is saved (see `twinos.journal`), with what the commit is about to write; so
the disk and this always belong together. Files without a name are on the disk, where it calls their
blocks free: here is where they are. What is done between two commits is recorded as requests, and
done again.
"""

from array import array
from functools import lru_cache
from typing import Final, NamedTuple

from servers.filesystem.descriptors import Access, Context, OpenFile
from servers.filesystem.inode import Inode
from servers.filesystem.lending import LentState
from servers.filesystem.locks import Locks, Span
from servers.filesystem.volume import Volume
from twinos import Caller
from twinos.codec import decoder, encode

Flags = tuple[bool, bool, bool, bool, bool, bool]


class Nameless(NamedTuple):
    """A file that is open and has no name; `above` is where the `..` of a directory leads, or 0."""

    number: int
    mode: int
    uid: int
    gid: int
    size: int
    times: tuple[int, int, int]
    zones: bytes
    taken: bytes
    above: int


class Opened(NamedTuple):
    """An open file."""

    inode: int
    access: Flags
    position: int


class Told(NamedTuple):
    """What is kept for a caller; files are a descriptor and a place among all open ones."""

    caller: Caller
    cwd: int
    umask: int
    files: tuple[tuple[int, int], ...]


Lock = tuple[int, int, Span]
"""A lock: the inode, the caller or the place among all open files that owns it, and the bytes."""


class Kept(NamedTuple):
    """All of it; `appending` is a file that is being appended to, and its size before."""

    nameless: tuple[Nameless, ...]
    opened: tuple[Opened, ...]
    callers: tuple[Told, ...]
    lent: LentState
    appending: tuple[int, int] | None
    records: tuple[Lock, ...]
    flocks: tuple[Lock, ...]


_read: Final = decoder(Kept)


def describe(volume: Volume, contexts: dict[int, Context], records: Locks, flocks: Locks) -> bytes:
    """What is to survive, when everything that changed is about to be committed."""
    places: dict[int, int] = {}
    opened: list[Opened] = []
    callers: list[Told] = []
    used: set[int] = set()
    for context in contexts.values():
        for file in context.files.values():
            if id(file) not in places:
                places[id(file)] = len(opened)
                opened.append(Opened(file.inode.number, _flags(file.access), file.position))
                used.add(file.inode.number)
        used.add(context.cwd.number)
        files = tuple((number, places[id(file)]) for number, file in context.files.items())
        callers.append(Told(context.caller, context.cwd.number, context.umask, files))
    lent = volume.lending.described()
    used.update(file.inode for file in lent.files)
    nameless = _nameless(volume, used)
    by_caller = [
        (inode.number, who, span) for inode, who, span in records.held() if isinstance(who, int)
    ]
    by_file = [(inode.number, places.get(id(who), -1), span) for inode, who, span in flocks.held()]
    locks = tuple(by_caller), tuple(each for each in by_file if each[1] >= 0)
    return encode(Kept(nameless, tuple(opened), tuple(callers), lent, volume.appending, *locks))


@lru_cache
def _flags(access: Access) -> Flags:
    return (
        access.read,
        access.write,
        access.append,
        access.durable,
        access.quiet,
        access.place,
    )


def restore(
    volume: Volume, contexts: dict[int, Context], records: Locks, flocks: Locks, saved: bytes
) -> None:
    """Be what `describe` told of, on the disk as it was committed then."""
    kept: Kept = _read(saved)
    for nameless in kept.nameless:
        _adopt(volume, nameless)
    for nameless in kept.nameless:
        if nameless.above:
            volume.above_removed[nameless.number] = above = volume.table.get(nameless.above)
            above.opens += 1
    opened = [_opened(volume, each) for each in kept.opened]
    for told in kept.callers:
        cwd = volume.table.get(told.cwd)
        cwd.opens += 1
        context = contexts[told.caller.id] = Context(told.caller, cwd)
        context.umask = told.umask
        for number, place in told.files:
            context.files[number] = opened[place]
            opened[place].shares += 1
    volume.lending.restore(kept.lent, volume.table.get, volume.table.mark)
    for number, owner, span in kept.records:
        records.take(volume.table.get(number), owner, span)
    for number, place, span in kept.flocks:
        flocks.take(volume.table.get(number), opened[place], span)
    if kept.appending is not None:
        number, size = kept.appending
        inode = volume.table.get(number)
        if inode.size > size:
            volume.content.truncate(inode, size)
            volume.table.mark(inode)


def _nameless(volume: Volume, used: set[int]) -> tuple[Nameless, ...]:
    found = []
    waiting = [number for number in used if not volume.table.get(number).links]
    while waiting:
        inode = volume.table.get(waiting.pop())
        above = volume.above_removed.get(inode.number)
        found.append(
            Nameless(
                inode.number,
                inode.mode,
                inode.uid,
                inode.gid,
                inode.size,
                (inode.atime, inode.mtime, inode.ctime),
                inode.zones.tobytes(),
                array("I", volume.maps.taken(inode)).tobytes(),
                above.number if above else 0,
            )
        )
        if above is not None and not above.links and above.number not in used:
            used.add(above.number)
            waiting.append(above.number)
    return tuple(found)


def _adopt(volume: Volume, kept: Nameless) -> None:
    zones, taken = array("I"), array("I")
    zones.frombytes(kept.zones)
    taken.frombytes(kept.taken)
    inode = Inode(kept.number, kept.mode, 0, kept.uid, kept.gid, kept.size, *kept.times, zones)
    if not taken:
        inode.sectors = 0
    volume.adopt(inode, taken.tolist())


def _opened(volume: Volume, kept: Opened) -> OpenFile:
    inode = volume.table.get(kept.inode)
    inode.opens += 1
    file = OpenFile(inode, Access(*kept.access))
    file.position, file.shares = kept.position, 0
    return file
