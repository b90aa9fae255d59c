"""cp: copy files and trees."""

import os
import stat

from servers.process import Process
from workloads.programs._common import (
    copy,
    into,
    is_directory,
    join,
    lstat,
    options,
    ordered,
    usage,
)


def main(process: Process, *arguments: str) -> int:
    """`cp [-Rafpr] SOURCE... TARGET`."""
    given, paths = options(process, arguments, "Rafpr")
    if len(paths) < 2:
        usage(process, "missing file operand")
    *sources, target = paths
    if len(sources) > 1 and not is_directory(process, target):
        return process.complain(f"target '{target}': Not a directory")
    copier = _Copier(process, given)
    for source in sources:
        copier.copy(source, into(process, source, target))
    return copier.status


class _Copier:
    def __init__(self, process: Process, given: dict[str, str]) -> None:
        self._process = process
        self._deep = bool({"R", "r", "a"} & given.keys())
        self._same = bool({"p", "a"} & given.keys())
        self._force = "f" in given
        self.status = 0

    def copy(self, source: str, target: str) -> None:
        """Copy one thing; what goes wrong is said."""
        files = self._process.files
        try:
            found = files.lstat(source) if self._deep else files.stat(source)
        except OSError as error:
            self.status = self._process.complain(f"cannot stat '{source}'", error)
            return
        there = lstat(self._process, target)
        if there is not None and there.st_ino == found.st_ino:
            self.status = self._process.complain(f"'{source}' and '{target}' are the same file")
            return
        try:
            if stat.S_ISDIR(found.st_mode):
                self._directory(source, target, found.st_mode)
            elif stat.S_ISLNK(found.st_mode):
                files.symlink(files.readlink(source), target)
            elif stat.S_ISREG(found.st_mode) or not self._deep:
                self._file(source, target, found.st_mode)
            else:
                files.mknod(target, found.st_mode, found.st_rdev)
            if self._same and not stat.S_ISLNK(found.st_mode):
                files.chown(target, found.st_uid, found.st_gid)
                files.chmod(target, stat.S_IMODE(found.st_mode))
                files.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
        except BrokenPipeError:
            raise
        except OSError as error:
            self.status = self._process.complain(f"cannot copy '{source}' to '{target}'", error)

    def _directory(self, source: str, target: str, mode: int) -> None:
        process = self._process
        if not self._deep:
            self.status = process.complain(f"-r not specified; omitting directory '{source}'")
            return
        if _is_within(process, target, source):
            what = f"cannot copy a directory, '{source}', into itself, '{target}'"
            self.status = process.complain(what)
            return
        if not is_directory(process, target):
            process.files.mkdir(target, stat.S_IMODE(mode) | 0o700)
        for name in ordered(process, source):
            self.copy(join(source, name), join(target, name))

    def _file(self, source: str, target: str, mode: int) -> None:
        process = self._process
        origin = process.open(source)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            try:
                copied = process.open(target, flags, stat.S_IMODE(mode) & 0o777)
            except PermissionError:
                if not self._force:
                    raise
                process.files.unlink(target)
                copied = process.open(target, flags, stat.S_IMODE(mode) & 0o777)
            try:
                copy(process, origin, copied)
            finally:
                process.close(copied)
        finally:
            process.close(origin)


def _is_within(process: Process, path: str, directory: str) -> bool:
    """Whether a path, whose last name may be missing, lies in a directory."""
    wanted = process.files.stat(directory).st_ino
    here = path if is_directory(process, path) else path.rstrip("/").rpartition("/")[0] or "."
    if path.startswith("/") and here == ".":
        here = "/"
    while True:
        inode = process.files.stat(here).st_ino
        above = process.files.stat(join(here, "..")).st_ino
        if inode == wanted:
            return True
        if inode == above:
            return False
        here = join(here, "..")
