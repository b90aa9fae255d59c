"""umask(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/umask.html."""

import os
import stat

import pytest

from tests.posix.conftest import Place


def test_it_gives_what_it_was(p: Place) -> None:
    assert p.root.umask(0o027) == 0o022
    assert p.root.umask(0) == 0o027
    assert p.root.umask(0o7777) == 0  # only permission bits count
    assert p.root.umask(0o022) == 0o777


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777, 0o200])
def test_what_it_takes_away(p: Place, mask: int) -> None:
    p.root.umask(mask)
    p.root.open("f", os.O_CREAT, 0o777)
    p.root.mkdir("d", 0o777)
    p.root.mkfifo("p", 0o777)
    p.root.mknod("n", stat.S_IFREG | 0o777)
    for path in "fdpn":
        assert p.mode(path) == 0o777 & ~mask
    p.root.symlink("t", "l")
    assert p.mode("l") == 0o777
    p.root.chmod("f", 0o777)
    assert p.mode("f") == 0o777


def test_set_id_bits_are_not_its_business(p: Place) -> None:
    p.root.umask(0o777)
    p.root.open("f", os.O_CREAT, 0o7777)
    assert p.mode("f") == 0o7000


def test_each_caller_has_one(p: Place) -> None:
    p.ada.umask(0o077)
    assert p.bob.umask(0o022) == 0o022
    p.ada.open("a", os.O_CREAT, 0o666)
    p.bob.open("b", os.O_CREAT, 0o666)
    assert (p.mode("a"), p.mode("b")) == (0o600, 0o644)
