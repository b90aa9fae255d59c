"""statvfs(), pathconf(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/pathconf.html."""

import errno
import os

from tests.posix.conftest import Place, fails


def test_room(p: Place) -> None:
    found = p.root.statvfs(".")
    assert found.f_frsize in {1024, 4096}
    assert found.f_bfree <= found.f_blocks
    assert found.f_ffree <= found.f_files
    assert found.f_namemax == p.name_max
    fd = p.root.open(".", os.O_RDONLY)
    for again in (p.root.statvfs(fd), p.root.fstatvfs(fd), p.root.statvfs("/")):
        assert (again.f_blocks, again.f_files) == (found.f_blocks, found.f_files)


def test_what_is_written_takes_room(p: Place) -> None:
    if p.is_host:
        return  # others write there, too
    before = p.root.statvfs(".")
    p.file("f", b"x" * 10_000)
    after = p.root.statvfs(".")
    assert before.f_bfree - after.f_bfree == 11  # with an indirect block
    assert before.f_ffree - after.f_ffree == 1
    p.root.unlink("f")
    assert p.root.statvfs(".") == before


def test_limits(p: Place) -> None:
    fd = p.root.open(".", os.O_RDONLY)
    for name in os.pathconf_names:
        value = p.root.pathconf(".", name)
        assert value == p.root.pathconf(".", os.pathconf_names[name])
        assert value == p.root.fpathconf(fd, name)
        assert value == p.root.pathconf(fd, name)
    assert p.root.pathconf(".", "PC_PATH_MAX") == 4096
    assert p.root.pathconf(".", "PC_NO_TRUNC") == 1
    assert p.root.pathconf(".", "PC_CHOWN_RESTRICTED") == 1


def test_limits_that_there_are_not(p: Place) -> None:
    fails(errno.EINVAL, p.root.pathconf, ".", 999)
    fails(errno.EINVAL, p.root.pathconf, ".", "PC_NOTHING")
    fails(errno.ENOENT, p.root.statvfs, "absent")
    fails(errno.EBADF, p.root.fstatvfs, 999)
    fails(errno.EBADF, p.root.fpathconf, 999, "PC_NAME_MAX")
