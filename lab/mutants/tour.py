"""What a client asks of a file system, in a directory of its own, and knows the answers to.

The answers depend on nothing but the tour: they are compared, word for word, with those of the same
tour of the service as it is.
"""

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from servers.filesystem import FileSystem, Stat

_RW: Final = os.O_RDWR | os.O_CREAT
_TIMES: Final = (1_000_000_000.0, 1_100_000_000.0)
_LONG: Final = 9000
_HOLE: Final = 40_000
_NOBODY: Final = 65_534


def tour(files: FileSystem, top: str) -> Iterator[str]:
    """The answers, in turn; `top` must not be there yet, and is not there afterwards."""
    files.mkdir(top, 0o755)
    files.chdir(top)
    for part in (_content, _names, _attributes, _descriptors, _copies, _refusals):
        yield from part(files)
    yield from sorted(files.listdir("."))
    files.chdir("/")
    for name in files.listdir(top):
        files.unlink(f"{top}/{name}")
    files.rmdir(top)
    yield str(_refused(files.stat, top))


def _content(files: FileSystem) -> Iterator[str]:
    fd = files.open("content", _RW, 0o644)
    yield str(files.write(fd, bytes(range(256)) * 8))
    yield str(files.pwrite(fd, b"x" * _LONG, 1500))
    yield str(files.lseek(fd, -100, os.SEEK_END))
    yield repr(files.read(fd, 200))
    yield repr(files.pread(fd, 64, 1480))
    yield str(files.pwrite(fd, b"beyond a hole", _HOLE))
    yield repr(files.pread(fd, 40, _HOLE - 20))
    yield str(files.lseek(fd, 0, os.SEEK_END))
    yield str(files.lseek(fd, 12_000, os.SEEK_DATA))
    yield str(files.lseek(fd, 0, os.SEEK_HOLE))
    files.fsync(fd)
    files.ftruncate(fd, 1600)
    yield repr(files.pread(fd, 300, 1450))
    files.ftruncate(fd, 5000)
    yield repr(files.pread(fd, 64, 1590))
    files.close(fd)
    yield _about(files.stat("content"))
    fd = files.open("content", os.O_WRONLY | os.O_APPEND)
    yield str(files.write(fd, b"the end"))
    files.close(fd)
    fd = files.open("content", os.O_RDONLY)
    yield repr(files.pread(fd, 50, 4980))
    files.close(fd)


def _names(files: FileSystem) -> Iterator[str]:
    files.mkdir("below")
    files.mkdir("below/deep", 0o700)
    for number in range(20):
        files.close(files.open(f"below/file-{number}", _RW, 0o600))
    yield from sorted(files.listdir("below"))
    yield from sorted(f"{e.name} {e.is_dir()}" for e in files.scandir("below"))
    files.link("content", "below/linked")
    yield _about(files.stat("below/linked"))
    files.symlink("below/deep/../linked", "pointer")
    yield files.readlink("pointer")
    yield _about(files.stat("pointer"))
    yield _about(files.lstat("pointer"))
    files.rename("below/file-3", "below/deep/moved")
    files.rename("below/file-4", "below/file-5")
    files.rename("below/deep", "deeper")
    yield from sorted(files.listdir("deeper"))
    files.chdir("deeper")
    yield files.getcwd()[-6:]
    files.chdir("..")
    files.unlink("deeper/moved")
    files.rmdir("deeper")
    for name in files.listdir("below"):
        files.unlink(f"below/{name}")
    yield _about(files.stat("below"))
    files.rmdir("below")
    yield str(files.stat("content").st_nlink)


def _attributes(files: FileSystem) -> Iterator[str]:
    files.chmod("content", 0o4751)
    files.chown("content", _NOBODY, _NOBODY)
    files.utime("content", _TIMES)
    yield _about(files.stat("content"))
    yield f"{files.stat('content').st_atime:.0f} {files.stat('content').st_mtime:.0f}"
    yield str(files.access("content", os.R_OK | os.W_OK))
    files.truncate("content", 100)
    yield _about(files.stat("content"))
    yield oct(files.umask(0o027))
    files.close(files.open("masked", _RW, 0o777))
    yield oct(files.stat("masked").st_mode)
    yield oct(files.umask(0o022))
    usage = files.statvfs("content")
    yield f"{usage.f_bsize} {usage.f_blocks} {usage.f_namemax}"


def _descriptors(files: FileSystem) -> Iterator[str]:
    fd = files.open("twice", _RW, 0o644)
    other = files.dup(fd)
    yield str(files.writev(fd, (b"one", b"two", b"three")))
    yield str(files.lseek(other, 0, os.SEEK_CUR))
    files.close(fd)
    yield repr(files.pread(other, 20, 0))
    yield _about(files.fstat(other))
    files.unlink("twice")
    yield str(files.fstat(other).st_nlink)
    yield repr(files.pread(other, 20, 2))
    files.close(other)
    files.sync()


def _copies(files: FileSystem) -> Iterator[str]:
    source, target = files.open("content", os.O_RDONLY), files.open("copy", _RW, 0o644)
    yield str(files.copy_file_range(source, target, 60, 20, 5))
    yield str(files.sendfile(target, source, 0, 30))
    yield repr(files.pread(target, 100, 0))
    files.posix_fallocate(target, 0, 3000)
    yield _about(files.fstat(target))
    files.closerange(source, max(source, target) + 1)
    files.closerange(target, target + 1)


def _refusals(files: FileSystem) -> Iterator[str]:
    yield _refused(files.open, "nothing", os.O_RDONLY)
    yield _refused(files.open, "content", os.O_CREAT | os.O_EXCL | os.O_RDWR)
    yield _refused(files.open, "content/below", os.O_RDONLY)
    yield _refused(files.open, "n" * 300, _RW)
    yield _refused(files.mkdir, "content")
    yield _refused(files.rmdir, "content")
    yield _refused(files.unlink, "/")
    yield _refused(files.read, 9999, 1)
    yield _refused(files.rename, "nothing", "something")
    yield _refused(files.readlink, "content")
    yield _refused(files.truncate, "content", -1)
    yield _refused(files.link, "/", "root")


def _refused(call: Callable[..., Any], *arguments: Any) -> str:
    """The name of the error that must come of it."""
    try:
        call(*arguments)
    except OSError as error:
        if error.errno is None or error.errno in {errno.ECONNRESET, errno.ECONNREFUSED}:
            raise
        return errno.errorcode.get(error.errno, str(error.errno))
    return "no error"


def _about(stat: Stat) -> str:
    fields = (stat.st_mode, stat.st_nlink, stat.st_uid, stat.st_gid, stat.st_size, stat.st_blocks)
    return " ".join(map(str, fields))
