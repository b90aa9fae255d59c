"""ls: list files and directories."""

import os
import shutil
import stat
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from servers.filesystem import Stat
from servers.process import Process, reason_of
from workloads.programs._common import human, join, options, ordered

_RECENT: Final = 180 * 86_400
_SUFFIXES: Final[dict[int, str]] = {
    stat.S_IFDIR: "/",
    stat.S_IFLNK: "@",
    stat.S_IFIFO: "|",
    stat.S_IFSOCK: "=",
}


class _File(NamedTuple):
    name: str
    path: str
    stat: Stat


def main(process: Process, *arguments: str) -> int:
    """`ls [-1AFRSadhilrst] [FILE...]`."""
    given, paths = options(process, arguments, "1AFRSadhilrst", 2)
    return _Listing(process, given).show(paths or ["."])


class _Listing:
    def __init__(self, process: Process, given: dict[str, str]) -> None:
        self._process = process
        self._given = given
        self._status = 0
        self._first = True

    def show(self, paths: list[str]) -> int:
        files: list[_File] = []
        directories: list[_File] = []
        for path in paths:
            found = self._look(path)
            if found is None:
                continue
            is_directory = stat.S_ISDIR(found.stat.st_mode) and "d" not in self._given
            (directories if is_directory else files).append(found)
        if files:
            self._list(self._sorted(files))
            self._first = False
        for directory in self._sorted(directories):
            self._directory(directory.path, titled=len(paths) > 1 or "R" in self._given)
        return self._status

    def _look(self, path: str, name: str | None = None) -> _File | None:
        process = self._process
        follows = name is None and not {"l", "d", "F"} & self._given.keys()
        try:
            try:
                found = process.files.stat(path) if follows else process.files.lstat(path)
            except FileNotFoundError:
                found = process.files.lstat(path)
        except OSError as error:
            self._complain(f"cannot access '{path}'", error, 2)
            return None
        return _File(path if name is None else name, path, found)

    def _complain(self, what: str, error: OSError, status: int) -> None:
        self._process.complain(what, error)
        self._status = max(self._status, status)

    def _sorted(self, files: list[_File]) -> list[_File]:
        key: Callable[[_File], Any] = lambda file: os.fsencode(file.name)  # noqa: E731 (one of three)
        if "t" in self._given:
            key = lambda file: (-file.stat.st_mtime, os.fsencode(file.name))  # noqa: E731
        elif "S" in self._given:
            key = lambda file: (-file.stat.st_size, os.fsencode(file.name))  # noqa: E731
        return sorted(files, key=key, reverse="r" in self._given)

    def _directory(self, path: str, *, titled: bool) -> None:
        out = self._process.stdout
        try:
            names = ordered(self._process, path)
        except OSError as error:
            self._complain(f"cannot open directory '{path}'", error, 2)
            return
        if titled:
            out.write(f"{'' if self._first else chr(10)}{path}:\n")
        self._first = False
        if "a" in self._given:
            names = [".", "..", *names]
        elif "A" not in self._given:
            names = [name for name in names if not name.startswith(".")]
        found = [self._look(join(path, name), name) for name in names]
        files = self._sorted([file for file in found if file is not None])
        if {"l", "s"} & self._given.keys():
            out.write(f"total {sum(file.stat.st_blocks for file in files) // 2}\n")
        self._list(files)
        if "R" in self._given:
            for file in files:
                if stat.S_ISDIR(file.stat.st_mode) and file.name not in {".", ".."}:
                    self._directory(file.path, titled=True)

    def _list(self, files: list[_File]) -> None:
        if "l" in self._given:
            self._long(files)
        else:
            shown = [self._prefix(file) + self._shown(file) for file in files]
            columns = self._process.isatty(1) and "1" not in self._given
            text = _columns(shown) if columns else "".join(f"{name}\n" for name in shown)
            self._process.stdout.write(text)

    def _prefix(self, file: _File) -> str:
        inode = f"{file.stat.st_ino} " if "i" in self._given else ""
        return inode + (f"{file.stat.st_blocks // 2} " if "s" in self._given else "")

    def _shown(self, file: _File) -> str:
        mode = file.stat.st_mode
        if "F" not in self._given:
            return file.name
        executable = "*" if stat.S_ISREG(mode) and mode & 0o111 else ""
        return file.name + _SUFFIXES.get(stat.S_IFMT(mode), executable)

    def _long(self, files: list[_File]) -> None:
        rows = [self._row(file) for file in files]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(6)]
        for row in rows:
            mode, links, user, group, size, moment, name = row
            self._process.stdout.write(
                f"{mode} {links:>{widths[1]}} {user:<{widths[2]}} {group:<{widths[3]}} "
                f"{size:>{widths[4]}} {moment} {name}\n"
            )

    def _row(self, file: _File) -> tuple[str, ...]:
        found = file.stat
        name = self._shown(file)
        if stat.S_ISLNK(found.st_mode):
            try:
                name = f"{file.name} -> {self._process.files.readlink(file.path)}"
            except OSError as error:
                name = f"{file.name} -> ({reason_of(error)})"
        size = human(found.st_size) if "h" in self._given else str(found.st_size)
        if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
            size = f"{found.st_rdev >> 8}, {found.st_rdev & 0xFF}"
        return (
            self._prefix(file) + stat.filemode(found.st_mode),
            str(found.st_nlink),
            _user(found.st_uid),
            _user(found.st_gid),
            size,
            _moment(found.st_mtime),
            name,
        )


def _user(number: int) -> str:
    return str(number) if number else "root"


def _moment(seconds: float) -> str:
    """A time: the clock's for the last half year, else the year's."""
    form = "%b %e %H:%M" if 0 <= time.time() - seconds < _RECENT else "%b %e  %Y"
    return time.strftime(form, time.localtime(seconds))


def _columns(names: list[str]) -> str:
    """Names in columns, downwards, as wide as the terminal."""
    if not names:
        return ""
    width = max(map(len, names)) + 2
    across = max(1, shutil.get_terminal_size().columns // width)
    rows = -(-len(names) // across)
    table = [names[row::rows] for row in range(rows)]
    return "".join("".join(f"{name:<{width}}" for name in row).rstrip() + "\n" for row in table)
