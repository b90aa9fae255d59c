"""The host's own file system as the oracle: one operation on both, results and errnos compared."""

import os
from collections.abc import Callable
from contextlib import contextmanager
from stat import S_IFMT, S_ISDIR, S_ISLNK, S_ISREG
from typing import Any

Outcome = tuple[str, Any]


def outcome(operation: Callable[..., Any], *arguments: Any) -> Outcome:
    """What an operation gave: its result, or the error's errno."""
    try:
        return "result", operation(*arguments)
    except OSError as error:
        return "error", error.errno


class Host:
    """The same operations on a directory of the host, which stands for the root.

    Paths are relative: the process's working directory is changed around each operation.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._home = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        self._cwd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)

    def close(self) -> None:
        os.close(self._cwd)
        os.close(self._home)

    @contextmanager
    def inside(self) -> Any:
        """Be in the oracle's working directory, with its umask."""
        os.fchdir(self._cwd)
        umask = os.umask(0o022)
        try:
            yield
        finally:
            os.umask(umask)
            os.fchdir(self._home)

    def call(self, name: str, *arguments: Any) -> Any:
        with self.inside():
            return getattr(os, name)(*arguments)

    def depth(self) -> int:
        """How many directories the working directory is below the root; negative outside."""
        here = os.path.relpath(os.readlink(f"/proc/self/fd/{self._cwd}"), self._root).split("/")
        return -1 if ".." in here else len(here)

    def chdir(self, path: str) -> None:
        with self.inside():
            os.chdir(path)
            cwd = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        os.close(self._cwd)
        self._cwd = cwd


def comparable(result: Any) -> Any:
    """What of a result both must agree on."""
    if hasattr(result, "st_mode"):
        size = result.st_size if not S_ISDIR(result.st_mode) else None
        return oct(result.st_mode), result.st_nlink, size, result.st_uid, result.st_gid
    if isinstance(result, list | tuple):
        return sorted(result)
    return result


def snapshot(call: Callable[..., Any], path: str = ".") -> dict[str, Any]:
    """Everything under `path`: attributes, contents, targets."""
    found: dict[str, Any] = {}
    for name in call("listdir", path):
        inner = f"{path}/{name}"
        status = call("lstat", inner)
        found[inner] = [comparable(status), _content(call, inner, status)]
        if S_ISDIR(status.st_mode):
            found |= snapshot(call, inner)
    return found


def _content(call: Callable[..., Any], path: str, status: Any) -> Any:
    if S_ISLNK(status.st_mode):
        return call("readlink", path)
    if not S_ISREG(status.st_mode):
        return S_IFMT(status.st_mode)
    descriptor = call("open", path, os.O_RDONLY)
    try:
        return call("pread", descriptor, status.st_size + 1, 0)
    finally:
        call("close", descriptor)
