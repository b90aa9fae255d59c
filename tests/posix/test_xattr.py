"""Extended attributes, which the format has none of: EOPNOTSUPP, as Linux says of such."""

import errno
import os
from typing import Any

import pytest

from tests.posix.conftest import Place, fails


@pytest.fixture
def ours(p: Place) -> Any:
    if p.is_host:
        pytest.skip("the host has some")
    p.file("f")
    return p


def test_there_are_none(ours: Place) -> None:
    fd = ours.root.open("f", os.O_RDONLY)
    for path in ("f", fd):
        assert ours.root.listxattr(path) == ()
        fails(errno.EOPNOTSUPP, ours.root.getxattr, path, "user.x")
        fails(errno.EOPNOTSUPP, ours.root.setxattr, path, "user.x", b"1")
        fails(errno.EOPNOTSUPP, ours.root.removexattr, path, "user.x")
    assert ours.root.listxattr() == ()


def test_of_what_is_not_there(ours: Place) -> None:
    fails(errno.ENOENT, ours.root.listxattr, "absent")
    fails(errno.ENOENT, ours.root.getxattr, "absent", "user.x")
    fails(errno.ENOENT, ours.root.setxattr, "absent", "user.x", b"1")
    fails(errno.EBADF, ours.root.removexattr, 999, "user.x")
