"""access(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/access.html."""

import os

import pytest

from tests.posix.conftest import Place
from tests.posix.world import Credentials


@pytest.mark.parametrize("asked", range(8))
def test_each_class_of_users_has_its_own_bits(p: Place, asked: int) -> None:
    p.file("f")
    p.root.chown("f", 1000, 300)
    users = ((p.ada, 6), (p.user(Credentials(1003, 300)), 3), (p.eve, 0))
    for bits in range(8):
        for user, shift in users:
            p.root.chmod("f", bits << shift | (0o777 & ~(7 << shift)))
            assert user.access("f", asked) == (bits & asked == asked)
            assert user.access("f", asked, effective_ids=True) == (bits & asked == asked)


def test_a_supplementary_group_counts(p: Place) -> None:
    p.file("f")
    p.root.chown("f", 0, 300)
    p.root.chmod("f", 0o070)
    assert p.ada.access("f", 7)
    assert not p.bob.access("f", os.R_OK)
    p.root.chmod("f", 0o707)
    assert not p.ada.access("f", os.R_OK)
    assert p.bob.access("f", 7)


def test_the_superuser(p: Place) -> None:
    """May execute a file only if somebody may."""
    p.file("f", mode=0)
    p.folder("d", 0)
    assert p.root.access("f", os.R_OK | os.W_OK)
    assert not p.root.access("f", os.X_OK)
    assert p.root.access("d", 7)
    p.root.chmod("f", 0o001)
    assert p.root.access("f", 7)


def test_the_way_must_be_open(p: Place) -> None:
    p.folder("d", 0o600)
    p.file("d/f", mode=0o777)
    assert not p.ada.access("d/f", os.F_OK)
    assert not p.ada.access("d/absent", os.F_OK)
    p.root.chmod("d", 0o711)
    assert p.ada.access("d/f", 7)


def test_what_is_not_there(p: Place) -> None:
    p.file("f")
    p.root.symlink("loop", "loop")
    p.root.symlink("nowhere", "dangling")
    for path in ("", "absent", "f/", "f/x", "loop", "dangling", "n" * 300, "x/" * 3000):
        assert not p.root.access(path, os.F_OK)
    assert p.root.access("f", os.F_OK)


def test_links(p: Place) -> None:
    p.file("f", mode=0o600)
    p.root.symlink("f", "l")
    assert not p.ada.access("l", os.R_OK)
    assert p.ada.access("l", os.R_OK, follow_symlinks=False)
    p.root.symlink("nowhere", "dangling")
    assert p.ada.access("dangling", os.F_OK, follow_symlinks=False)


def test_modes_that_there_are_not(p: Place) -> None:
    p.file("f", mode=0o777)
    assert not p.root.access("f", 8)
    assert not p.root.access("f", -1)


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    p.file("d/f")
    fd = p.root.open("d", os.O_RDONLY)
    assert p.root.access("f", os.F_OK, dir_fd=fd)
    assert not p.root.access("g", os.F_OK, dir_fd=fd)
    assert not p.root.access("f", os.F_OK, dir_fd=999)
