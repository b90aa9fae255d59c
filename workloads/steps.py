"""Steps on whole files: what the macro workloads of mail, web and file servers are made of.

A script of steps is drawn from a seed before anything is timed, together with the results that it
must have: a dictionary of contents is the model. Only the steps themselves are timed.
"""

import os
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from servers.filesystem import FileSystem
from workloads.workload import Operation, Program, equals

STEP: Final = 64 * 1024
"""Bytes that are read or written at once."""


class Step(NamedTuple):
    """One thing done to one file.

    Attributes:
        verb: create, append, read, delete or stat.
        path: the file.
        data: what is written.
        sync: whether fsync follows the write.
    """

    verb: str
    path: str
    data: bytes = b""
    sync: bool = False


Files = dict[str, bytes]
"""Contents by path."""


def perform(fs: FileSystem, steps: Iterable[Step]) -> list[Any]:
    """Do the steps; what each gave: the bytes read, the size, or None."""
    return [_VERBS[step.verb](fs, step) for step in steps]


def foretell(files: Files, steps: Iterable[Step]) -> list[Any]:
    """What the steps will give, and `files` as they will be then."""
    found: list[Any] = []
    for verb, path, data, _ in steps:
        if verb == "delete":
            del files[path]
        elif verb in {"create", "append"}:
            files[path] = files.get(path, b"") + data
        content = files.get(path, b"")
        found.append({"read": content, "stat": len(content)}.get(verb))
    return found


def scripted(fs: FileSystem, files: Files, steps: list[Step], ops: int) -> Program:
    """The program that makes `files`, does `steps` (timed), and checks all that is left."""
    for folder in _folders(files):
        fs.mkdir(folder)
    perform(fs, [Step("create", path, data) for path, data in files.items()])
    fs.sync()
    left = dict(files)
    wanted = foretell(left, steps)
    yield Operation(lambda: perform(fs, steps), check=equals(wanted), ops=ops)
    check_files(fs, left)
    perform(fs, [Step("delete", path) for path in left])
    for folder in reversed(_folders(files)):
        fs.rmdir(folder)


def check_files(fs: FileSystem, files: Mapping[str, bytes]) -> None:
    """Make sure that the folders of `files` hold these, with their contents, and no others."""
    for folder in _folders(files):
        names = sorted(path.rpartition("/")[2] for path in files if _folder(path) == folder)
        equals(names)(sorted(fs.listdir(folder)))
    equals(list(files.values()))(perform(fs, [Step("read", path) for path in files]))


class Contents:
    """Bytes of files, cut from one random block: no two alike, and quick to make."""

    def __init__(self, lots: random.Random, most: int) -> None:
        self._lots = lots
        self._block = lots.randbytes(2 * most)

    def cut(self, size: int) -> bytes:
        """Some `size` bytes."""
        start = self._lots.randrange(len(self._block) - size + 1)
        return self._block[start : start + size]


@contextmanager
def opened(fs: FileSystem, path: str, flags: int) -> Any:
    """A descriptor of the file, closed in the end."""
    fd = fs.open(path, flags)
    try:
        yield fd
    finally:
        fs.close(fd)


def _create(fs: FileSystem, step: Step) -> None:
    _write(fs, step, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def _append(fs: FileSystem, step: Step) -> None:
    _write(fs, step, os.O_WRONLY | os.O_APPEND)


def _write(fs: FileSystem, step: Step, flags: int) -> None:
    with opened(fs, step.path, flags) as fd:
        for start in range(0, len(step.data), STEP):
            chunk = step.data[start : start + STEP]
            equals(len(chunk))(fs.write(fd, chunk))
        if step.sync:
            fs.fsync(fd)


def _read(fs: FileSystem, step: Step) -> bytes:
    with opened(fs, step.path, os.O_RDONLY) as fd:
        chunks = []
        while chunk := fs.read(fd, STEP):
            chunks.append(chunk)
        return b"".join(chunks)


def _delete(fs: FileSystem, step: Step) -> None:
    fs.unlink(step.path)


def _stat(fs: FileSystem, step: Step) -> int:
    return fs.stat(step.path).st_size


_VERBS: Final[dict[str, Callable[[FileSystem, Step], Any]]] = {
    "create": _create,
    "append": _append,
    "read": _read,
    "delete": _delete,
    "stat": _stat,
}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _folders(files: Iterable[str]) -> list[str]:
    return sorted({_folder(path) for path in files})
