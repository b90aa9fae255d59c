"""The five locks of SQLite on a file, for the connections of one process.

After https://sqlite.org/lockingv3.html: many may read (SHARED), one of them may prepare to write
(RESERVED), wait for the readers to go while no new one comes (PENDING), and write (EXCLUSIVE).
"""

from enum import IntEnum
from threading import Lock
from typing import Final


class Level(IntEnum):
    """How much of a file a connection has; the values are SQLite's."""

    NONE = 0
    SHARED = 1
    RESERVED = 2
    PENDING = 3
    EXCLUSIVE = 4


class LockTable:
    """Who holds which lock on which file.

    Connections may live in different threads. Those of another process are not seen: no service
    of TwinOS offers locks on files.
    """

    def __init__(self) -> None:
        self._files: Final[dict[int, dict[object, Level]]] = {}
        self._mutex: Final = Lock()

    def acquire(self, inode: int, holder: object, wanted: Level) -> bool:
        """Raise the lock of `holder` on a file; whether it was free.

        Who asks for EXCLUSIVE in vain, because of readers, has PENDING from then on.
        """
        with self._mutex:
            held = self._files.setdefault(inode, {})
            if held.get(holder, Level.NONE) >= wanted:
                return True
            others = max((level for one, level in held.items() if one is not holder), default=0)
            if others >= (Level.PENDING if wanted == Level.SHARED else Level.RESERVED):
                return False
            readers = wanted == Level.EXCLUSIVE and others == Level.SHARED
            held[holder] = Level.PENDING if readers else wanted
            return not readers

    def release(self, inode: int, holder: object, kept: Level) -> None:
        """Lower the lock of `holder` on a file to `kept`: SHARED or NONE."""
        with self._mutex:
            held = self._files.get(inode, {})
            if held.get(holder, Level.NONE) > kept:
                held[holder] = kept
            if not held.get(holder, Level.NONE):
                held.pop(holder, None)
            if not held:
                self._files.pop(inode, None)

    def reserved(self, inode: int) -> bool:
        """Whether anybody is about to write the file, or writes it."""
        with self._mutex:
            return any(level >= Level.RESERVED for level in self._files.get(inode, {}).values())
