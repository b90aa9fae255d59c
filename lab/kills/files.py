"""A client that uses files: it records what it is told, and has a model look at that."""

import os
from collections.abc import Callable
from typing import Any, Final

from kernels import System
from lab.kills.client import Client
from lab.kills.model import Failed, Line, Model
from servers.filesystem import FileSystem

LONGEST: Final = 60_000
_SIZES: Final = (0, 1, 100, 1000, 4096, 5000, 20_000)
_MOST_OPEN: Final = 6
_AT_ONCE: Final = 2000
_WEIGHTS: Final = {
    "open_more": 12,
    "write": 28,
    "pwrite": 10,
    "read": 15,
    "pread": 7,
    "lseek": 5,
    "close": 8,
    "unlink": 5,
    "rename": 4,
    "sync": 3,
    "list": 3,
}
_NAMES: Final = [f"file-{number}" for number in range(8)]


class FileClient(Client):
    """A user of files in a directory of its own, and the model of what it should see.

    Args:
        system: whose user it is.
        name: of its directory.
        seed: of what it does.

    Attributes:
        history: what it asked and was told, since that was checked last.
    """

    def __init__(self, system: System, name: str, seed: str) -> None:
        self._home = f"/{name}"
        super().__init__(system, self._home, seed)
        self._files = self._user[FileSystem]
        self._opened: dict[int, int] = {}
        self._appending: set[int] = set()
        self._model = Model()
        self.history: list[Line] = []
        self._files.mkdir(self._home)
        self._files.chdir(self._home)
        self._begin()

    def wrong(self) -> list[str]:
        """What it was told and can't be; and what it should never have met."""
        self._check()
        return super().wrong()

    def _check(self) -> None:
        """Have the model look at what was told; nothing of that is needed any more."""
        self.requests += len(self.history)
        self._wrong += self._model.wrong(self.history)
        self.history.clear()

    def _ask(self, name: str, *arguments: Any) -> Any:
        method: Callable[..., Any] = getattr(self._files, name)
        try:
            told = method(*arguments)
        except FileNotFoundError as error:
            told = Failed(error.errno or 0, type(error).__name__)
        self.history.append(Line(name, arguments, told))
        return told

    def _step(self) -> None:
        self._do()
        if len(self.history) >= _AT_ONCE:
            self._check()

    def _do(self) -> None:
        rng = self._rng
        descriptor = rng.choice(list(self._opened)) if self._opened else -1
        if descriptor < 0:
            self._open()
            return
        (what,) = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        getattr(self, f"_{what}")(descriptor)

    def _open_more(self, _descriptor: int) -> None:
        if len(self._opened) < _MOST_OPEN:
            self._open()

    def _write(self, descriptor: int) -> None:
        self._opened[descriptor] += self._ask("write", descriptor, self._data())
        if self._opened[descriptor] > LONGEST:
            self._ask("ftruncate", descriptor, self._rng.randrange(100))
            self._ask("lseek", descriptor, 0, os.SEEK_SET)
            self._opened[descriptor] = 0

    def _pwrite(self, descriptor: int) -> None:
        if descriptor not in self._appending:
            self._ask("pwrite", descriptor, self._data(), self._rng.randrange(LONGEST // 4))

    def _read(self, descriptor: int) -> None:
        self._ask("read", descriptor, self._rng.choice(_SIZES))

    def _pread(self, descriptor: int) -> None:
        self._ask("pread", descriptor, self._rng.choice(_SIZES), self._rng.randrange(LONGEST))

    def _lseek(self, descriptor: int) -> None:
        self._ask("lseek", descriptor, self._rng.randrange(LONGEST // 4), os.SEEK_SET)
        self._opened[descriptor] = LONGEST // 4

    def _close(self, descriptor: int) -> None:
        self._ask("close", descriptor)
        del self._opened[descriptor]

    def _unlink(self, _descriptor: int) -> None:
        self._ask("unlink", self._rng.choice(_NAMES))

    def _rename(self, _descriptor: int) -> None:
        self._ask("rename", self._rng.choice(_NAMES), self._rng.choice(_NAMES))

    def _sync(self, _descriptor: int) -> None:
        self._ask("sync")

    def _data(self) -> bytes:
        return self._rng.randbytes(self._rng.choice(_SIZES))

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT * (self._rng.random() < 0.8)
        flags |= self._rng.choice([0, 0, 0, os.O_APPEND, os.O_TRUNC, os.O_SYNC])
        descriptor = self._ask("open", self._rng.choice(_NAMES), flags)
        if isinstance(descriptor, int):
            self._opened[descriptor] = LONGEST // 4
            self._appending.discard(descriptor)
            if flags & os.O_APPEND:
                self._appending.add(descriptor)

    def _list(self, _descriptor: int = -1) -> None:
        names = tuple(sorted(self._files.listdir(".")))
        self.history.append(Line("listdir", (), names))
        self.history.append(Line("getcwd", (self._home,), self._files.getcwd()))

    def _finish(self) -> None:
        """At the end: every byte of everything."""
        self._list()
        for descriptor in list(self._opened):
            self._ask("pread", descriptor, 10 * LONGEST, 0)
            self._ask("close", descriptor)
        for name in _NAMES:
            descriptor = self._ask("open", name, os.O_RDONLY)
            if isinstance(descriptor, int):
                self._ask("read", descriptor, 10 * LONGEST)
                self._ask("close", descriptor)
