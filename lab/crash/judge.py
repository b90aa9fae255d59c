"""Whether what is found after a loss of power is what was promised.

With a log: the file system is clean, and shows exactly what it showed after some operation, not
before the last one that was promised to last and not after the one in flight. Without one: nothing
is worse than a leak or a wrong number of links, the repairer mends it, and what was promised to
last and not touched since is there; no file has bytes of another.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from stat import S_ISREG
from typing import Any, Final

from lab.crash.recorder import Recorder
from lab.crash.script import ALPHABET
from lab.crash.states import State
from lab.crash.tree import Shown, Tree, look
from servers.filesystem import FileSystem
from servers.filesystem.check import Code, MemoryImage, Severity, check
from servers.filesystem.layout import BLOCK_SIZE, Superblock
from servers.filesystem.repair import Hopeless, repair

LEAKS: Final = frozenset([Code.INODE_LEAKED, Code.ZONE_LEAKED])
WITHOUT_LOG: Final = LEAKS | {Code.LINKS, Code.DIRECTORY_LINKED, Code.DOT_DOT}
"""What may be wrong on an image without a log: a directory that moves has two names, for one."""
TIME: Final = 1_000_000_000


class Raw(StrEnum):
    """What an image is before anything is done for it: as a tool without our log finds it."""

    CLEAN = "clean"
    LEAKS = "leaks only"
    LINKS = "names miscounted"
    CORRUPT = "corrupt"


def raw(image: bytes) -> Raw:
    """See `Raw`. The log, if there is one, is left out."""
    codes = _errors(image[: zones(image) * BLOCK_SIZE])
    if not codes:
        return Raw.CLEAN
    if codes <= LEAKS:
        return Raw.LEAKS
    return Raw.LINKS if codes <= WITHOUT_LOG else Raw.CORRUPT


def zones(image: bytes) -> int:
    """Blocks of the file system; what is behind them is the log."""
    return Superblock.unpack(image[BLOCK_SIZE : 2 * BLOCK_SIZE]).zones


def _errors(image: bytes) -> frozenset[Code]:
    findings = check(MemoryImage(bytearray(image)))
    return frozenset(found.code for found in findings if found.severity is Severity.ERROR)


def recovered(image: bytes) -> Recorder:
    """The disk after the file system has been mounted on it, with what that wrote."""
    disk = Recorder(image)
    mounted(disk)
    return disk


def mounted(disk: Recorder, log: int | None = None, inodes: int | None = None) -> FileSystem:
    """The service on a disk, without a kernel; its clock stands still."""
    stand_in: Any = disk
    return FileSystem(stand_in, time=TIME, log=log, inodes=inodes)


def broken_promises(state: State, disk: Recorder, history: Sequence[Tree]) -> Iterator[str]:
    """What is wrong with a recovered image that has a log; nothing, if all is well.

    Args:
        state: what was found.
        disk: the same, recovered.
        history: what was shown after each operation, from none on.
    """
    codes = _errors(disk.contents())
    if codes:
        yield f"the checker finds {', '.join(sorted(codes))}"
        return
    now = look(mounted(disk))
    if now not in history[state.lasting : state.begun + 1]:
        yield _difference(now, history[state.lasting])


def _difference(now: Tree, then: Tree) -> str:
    names = sorted(now.keys() | then.keys())
    differ = [name for name in names if now.get(name) != then.get(name)]
    return f"it is like after no operation; since the last sync these differ: {', '.join(differ)}"


def broken_promises_without_log(
    state: State, image: bytes, history: Sequence[Tree]
) -> Iterator[str]:
    """What is wrong with an image that has no log, and with what the repairer makes of it."""
    codes = _errors(image) - WITHOUT_LOG
    if codes:
        yield f"the checker finds {', '.join(sorted(codes))}"
        return
    data = bytearray(image)
    try:
        repair(MemoryImage(data))
    except Hopeless as why:
        yield f"it can't be repaired: {why}"
        return
    now = look(mounted(Recorder(data)))
    since = history[state.lasting : state.begun + 1]
    for path, shown in since[0].items():
        if S_ISREG(shown.mode) and all(tree.get(path) == shown for tree in since):
            found = now.get(path)
            if found is None or found.content != shown.content:
                yield f"{path} was to last, and has changed"
    for path, shown in now.items():
        owners = _owners(shown)
        known = [_owners(tree[path]) for tree in since if path in tree]
        if len(owners) > 1 or (known and owners - set().union(*known)):
            yield f"{path} has bytes of another file"


def _owners(shown: Shown) -> set[int]:
    """The files that the bytes come from; zeros may be anybody's."""
    return {byte // ALPHABET for byte in shown.content if byte} if S_ISREG(shown.mode) else set()
