"""Short sequences of operations that change everything that can be changed.

Some are written down: what has gone wrong once, or is known to go wrong. The others are by chance.

The bytes of each file are its own: those of the `n`-th are between 8 n and 8 n + 7. So bytes of one
file in another are seen, and an older content of a file is told from a newer one.
"""

import os
import random
from collections.abc import Callable
from typing import Any, Final, NamedTuple

ALPHABET: Final = 8
_FILES: Final = 256 // ALPHABET - 1
_NAMES: Final = ("a", "b", "c", "d/a", "d/b", "e/a", "e/f/a")
_FOLDERS: Final = ("d", "e", "e/f", "g")
_SIZES: Final = (0, 1, 500, 1024, 1500, 5000, 9000, 20_000)
_BLOCK: Final = 1024


class Step(NamedTuple):
    """Something that a program does: a few operations.

    Attributes:
        name: what it is, for people.
        act: does it; an operation that fails ends it.
    """

    name: str
    act: Callable[[], Any]


class Script:
    """Steps, one after the other.

    Args:
        call: has an operation done: its name, and its arguments.
        rng: decides what is done.
        kept: files beside those of the script: they are only written over.
    """

    def __init__(
        self, call: Callable[..., Any], rng: random.Random, kept: tuple[str, ...] = ()
    ) -> None:
        self._call = call
        self._kept = kept
        self._rng = rng
        self._made = 0
        self._open: list[int] = []
        self._owner: dict[int, int] = {}

    def scene(self, number: int) -> list[Step] | None:
        """The steps of a sequence that is written down; None if there are not so many."""
        scenes = (self._reuse, self._over, self._nameless, self._grown, self._moved, self._left)
        return scenes[number]() if number < len(scenes) else None

    def _reuse(self) -> list[Step]:
        """What is freed is wanted again at once."""
        return [
            *(self._write("a", 9000), self._write("b", 5000), self._sync()),
            *(self._unlink("a"), self._write("c", 9000), self._fsync("c")),
            *(self._truncate("c", 0), self._write("c", 5000), self._unlink("b")),
            *(self._mkdir("d"), self._write("d/a", 9000), self._sync()),
        ]

    def _over(self) -> list[Step]:
        """Contents are written over others."""
        return [
            *(self._write("a", 9000), self._write("b", 1500), self._sync()),
            *(self._write("a", 9000), self._fsync("a"), self._write("b", 1024)),
            *(self._write("a", 5000), self._unlink("b"), self._sync()),
        ]

    def _nameless(self) -> list[Step]:
        """A file with a block map changes and goes while it is open, and its blocks come back."""
        return [
            *(self._write("a", 20_000), self._sync(), self._hold("a"), self._scribble(20_000)),
            *(self._sync(), self._release(), self._write("b", 25_000), self._sync()),
            *(self._hold("b"), self._write("c", 9000), self._sync(), self._scribble(9000)),
            *(self._release(), self._write("a", 20_000), self._sync()),
        ]

    def _grown(self) -> list[Step]:
        """Directories get more blocks, and names move into them."""
        many = [self._write(f"d/{number}", 100) for number in range(15)]
        return [
            *(self._mkdir("d"), self._write("a", 1500), *many[:13], self._sync()),
            *(*many[13:], self._rename("a", "d/a"), self._fsync("d/a")),
            *(self._rename("d/a", "d/0"), self._rename("d/1", "b"), self._sync()),
        ]

    def _moved(self) -> list[Step]:
        """Renames: over a file, over a directory, between directories."""
        return [
            *(self._mkdir("d"), self._mkdir("e"), self._mkdir("e/f"), self._write("a", 1500)),
            *(self._write("b", 5000), self._link("a", "e/a"), self._sync()),
            *(self._rename("a", "b"), self._rename("e/f", "g"), self._sync()),
            *(self._rename("d", "g"), self._rename("b", "e/a"), self._sync()),
        ]

    def _left(self) -> list[Step]:
        """A directory is removed that somebody is in."""
        return [
            *(self._mkdir("d"), self._write("d/a", 100), self._write("d/b", 100), self._sync()),
            Step("chdir d", lambda: self._call("chdir", "/d")),
            *(self._unlink("/d/a"), self._unlink("/d/b"), self._rmdir("/d"), self._sync()),
            Step("chdir /", lambda: self._call("chdir", "/")),
            *(self._write("a", 9000), self._mkdir("e"), self._sync()),
        ]

    def next(self) -> Step:
        """What comes next, by chance."""
        rng = self._rng
        kinds: list[tuple[int, Callable[[], Step]]] = [
            (5, self._write),
            (8 if self._kept else 2, self._overwrite),
            (2, self._append),
            (2, self._truncate),
            (2, self._unlink),
            (3, self._rename),
            (1, self._link),
            (1, self._symlink),
            (2, self._mkdir),
            (1, self._rmdir),
            (1, self._attributes),
            (1, self._hold),
            (1, self._scribble),
            (1, self._release),
            (3, self._fsync),
            (1, self._sync),
        ]
        weights = [weight for weight, _ in kinds]
        ((_, make),) = rng.choices(kinds, weights)
        return make()

    def _path(self) -> str:
        return self._rng.choice(_NAMES)

    def _bytes(self, number: int, length: int) -> bytes:
        low = ALPHABET * (number % _FILES + 1)
        return bytes(self._rng.choices(range(low, low + ALPHABET), k=length))

    def _size(self) -> int:
        return self._rng.choice(_SIZES)

    def _pwrite(self, path: str, flags: int, offset: int, length: int) -> None:
        """Write into a file with bytes of its own."""
        call = self._call
        descriptor = call("open", path, flags)
        try:
            status = call("fstat", descriptor)
            number = self._owner.get(status.st_ino)
            if number is None or not status.st_size:
                number = self._owner[status.st_ino] = self._made = self._made + 1
            call("pwrite", descriptor, self._bytes(number, length), min(offset, status.st_size))
        finally:
            call("close", descriptor)

    def _write(self, path: str = "", length: int = -1) -> Step:
        path, length = path or self._path(), self._size() if length < 0 else length
        flags = os.O_CREAT | os.O_RDWR | self._rng.choice([0, os.O_EXCL, 0])

        def act() -> None:
            self._pwrite(path, flags, 0, length)

        return Step(f"write {length} to {path}", act)

    def _overwrite(self) -> Step:
        path, length = self._rng.choice(self._kept or _NAMES), self._size()
        offset = self._rng.choice([0, 100, 1024, 3000, 8000])
        return Step(
            f"write {length} at {offset} of {path}",
            lambda: self._pwrite(path, os.O_RDWR, offset, length),
        )

    def _append(self) -> Step:
        path, length = self._path(), self._size()
        return Step(
            f"append {length} to {path}",
            lambda: self._pwrite(path, os.O_RDWR, 1 << 30, length),
        )

    def _truncate(self, path: str = "", size: int = -1) -> Step:
        path = path or self._path()
        size = self._rng.choice([0, 10, 1000, 1024, 6000, 30_000]) if size < 0 else size
        return Step(f"truncate {path} to {size}", lambda: self._call("truncate", path, size))

    def _unlink(self, path: str = "") -> Step:
        path = path or self._path()
        return Step(f"unlink {path}", lambda: self._call("unlink", path))

    def _rename(self, old: str = "", new: str = "") -> Step:
        places = _NAMES + _FOLDERS
        old, new = old or self._rng.choice(places), new or self._rng.choice(places)
        return Step(f"rename {old} to {new}", lambda: self._call("rename", old, new))

    def _link(self, old: str = "", new: str = "") -> Step:
        old, new = old or self._path(), new or self._path()
        return Step(f"link {old} as {new}", lambda: self._call("link", old, new))

    def _symlink(self) -> Step:
        path, target = self._path(), "t" * self._rng.choice([5, 1500])
        return Step(f"symlink {path}", lambda: self._call("symlink", target, path))

    def _mkdir(self, path: str = "") -> Step:
        path = path or self._rng.choice(_FOLDERS)
        return Step(f"mkdir {path}", lambda: self._call("mkdir", path))

    def _rmdir(self, path: str = "") -> Step:
        path = path or self._rng.choice(_FOLDERS)
        return Step(f"rmdir {path}", lambda: self._call("rmdir", path))

    def _attributes(self) -> Step:
        path, mode = self._rng.choice(_NAMES + _FOLDERS), self._rng.choice([0o600, 0o711, 0o1777])
        times = (self._rng.randrange(1 << 30), self._rng.randrange(1 << 30))

        def act() -> None:
            self._call("chmod", path, mode)
            self._call("utime", path, times)

        return Step(f"chmod {mode:o} and utime of {path}", act)

    def _hold(self, path: str = "") -> Step:
        path = path or self._path()

        def act() -> None:
            self._open.append(self._call("open", path, os.O_RDWR))
            self._call("unlink", path)

        return Step(f"open {path} and unlink it", act)

    def _scribble(self, length: int = 0) -> Step:
        length = length or self._size()

        def act() -> None:
            for descriptor in self._open:
                self._call("pwrite", descriptor, b"\xff" * length, 0)

        return Step(f"write {length} to open files without a name", act)

    def _release(self) -> Step:
        """Close them all."""

        def act() -> None:
            while self._open:
                self._call("close", self._open.pop())

        return Step("close files without a name", act)

    def _fsync(self, path: str = "") -> Step:
        path = path or self._path()

        def act() -> None:
            descriptor = self._call("open", path, os.O_RDONLY)
            try:
                self._call("fsync", descriptor)
            finally:
                self._call("close", descriptor)

        return Step(f"fsync {path}", act)

    def _sync(self) -> Step:
        return Step("sync", lambda: self._call("sync"))
