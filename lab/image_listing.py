"""Directories of an image, as `ls` shows them."""

import os
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from servers.filesystem import FileSystem, Stat

_DEVICES = frozenset([stat.S_IFCHR, stat.S_IFBLK])


def listing(files: FileSystem, top: str, *, long: bool, recursive: bool) -> Iterator[str]:
    """The lines about a file or a directory.

    Args:
        files: the file system.
        top: its path.
        long: whether type, permissions, links, owner, group, size and time are shown.
        recursive: whether directories below are listed as well.
    """
    if not stat.S_ISDIR(files.lstat(top).st_mode):
        yield from _lines(files, "", [top], long=long)
        return
    pending = [top]
    while pending:
        directory = pending.pop()
        names = sorted(files.listdir(directory), key=os.fsencode)
        if recursive:
            yield f"{directory}:"
        head = directory if directory.endswith("/") else f"{directory}/"
        yield from _lines(files, head, names, long=long)
        if recursive:
            below = [f"{head}{name}" for name in names]
            below = [path for path in below if stat.S_ISDIR(files.lstat(path).st_mode)]
            pending += reversed(below)
            if pending:
                yield ""


def say(line: str) -> None:
    """Write a line to standard output: its very bytes, unless that is a terminal."""
    if sys.stdout.isatty():
        line = "".join(c if c.isprintable() else "?" for c in line)
    sys.stdout.buffer.write(os.fsencode(line) + b"\n")


def _lines(files: FileSystem, head: str, names: list[str], *, long: bool) -> Iterator[str]:
    if not long:
        yield from names
        return
    rows = [_row(files, f"{head}{name}", name) for name in names]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    for mode, links, uid, gid, size, time, name in rows:
        numbers = zip((links, uid, gid, size), widths[1:5], strict=True)
        yield " ".join([mode, *(number.rjust(width) for number, width in numbers), time, name])


def _row(files: FileSystem, path: str, name: str) -> tuple[str, ...]:
    found = files.lstat(path)
    kind = stat.S_IFMT(found.st_mode)
    return (
        stat.filemode(found.st_mode),
        str(found.st_nlink),
        str(found.st_uid),
        str(found.st_gid),
        _device(found) if kind in _DEVICES else str(found.st_size),
        f"{datetime.fromtimestamp(found.st_mtime, UTC):%Y-%m-%d %H:%M:%S}",
        f"{name} -> {files.readlink(path)}" if kind == stat.S_IFLNK else name,
    )


def _device(found: Stat) -> str:
    major, minor = divmod(found.st_rdev, 256)
    return f"{major},{minor}"
