"""fsync(), fdatasync(), sync(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/fsync.html."""

import errno
import os

from tests.posix.conftest import Place, fails


def test_any_open_file(p: Place) -> None:
    p.file("f", b"x" * 5000)
    for path, flags in (("f", os.O_RDONLY), ("f", os.O_WRONLY), (".", os.O_RDONLY)):
        fd = p.root.open(path, flags)
        assert p.root.fsync(fd) is None
        assert p.root.fdatasync(fd) is None
    assert p.root.sync() is None
    assert p.read("f") == b"x" * 5000


def test_one_without_a_name(p: Place) -> None:
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR)
    p.root.write(fd, b"x" * 20_000)
    p.root.unlink("f")
    p.root.fsync(fd)
    assert p.root.pread(fd, 30_000, 0) == b"x" * 20_000


def test_what_is_not_open(p: Place) -> None:
    fails(errno.EBADF, p.root.fsync, 999)
    fails(errno.EBADF, p.root.fdatasync, 999)
