"""Errors arrive as they left: subclass, errno, text, names; under every kernel the same."""

import errno
import os
import shutil
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twinos.shapes import TEXTS
from twinos import ServerDied, fail
from twinos.codec import MalformedMessage, encode, error_decoder
from twinos.errors import as_delivered, describe, is_failure, put_together, take_apart

NAMES = st.none() | TEXTS


def seen(error: OSError) -> tuple[Any, ...]:
    parts = (error.errno, error.strerror, error.filename, error.filename2)
    return type(error), error.args, *parts, str(error)


def sent(error: OSError) -> OSError:
    return put_together(error_decoder(encode(take_apart(error))))


@pytest.mark.parametrize("names", [(), ("a",), ("a", None, "b"), ("\udcff",)], ids=len)
def test_every_errno_arrives(names: tuple[Any, ...]) -> None:
    for code in errno.errorcode:
        error = OSError(code, os.strerror(code), *names)
        assert as_delivered(error) is error
        assert seen(sent(error)) == seen(error)


@given(st.integers(-(2**31), 2**31 - 1), TEXTS, NAMES, NAMES)
def test_any_error_arrives(code: int, text: str, name: str | None, name2: str | None) -> None:
    names = () if name is name2 is None else (name, None, name2)
    error = OSError(code, text, *names)
    assert seen(sent(error)) == seen(as_delivered(error))
    if name2 is None or name is not None:
        assert seen(sent(error)) == seen(error)


class Odd(FileNotFoundError):
    pass


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOENT, "no", b"bytes"),
        OSError(errno.ENOENT, "no", b"\xff", None, b"\xfe"),
        OSError(errno.EBADF, "no", 7),
        OSError(errno.EIO, None),
        OSError(errno.EIO, 5),
        BlockingIOError(errno.EAGAIN, "would block", 5),
        Odd(errno.ENOENT, "odd"),
        shutil.SameFileError(errno.EIO, "same"),
        socket.gaierror(-2, "no name"),
        FileNotFoundError(errno.EIO, "an errno that is not its own"),
        ServerDied(errno.ECONNRESET, "Disk died"),
    ],
    ids=repr,
)
def test_kernels_deliver_the_same_whether_it_travelled_or_not(error: OSError) -> None:
    assert is_failure(error)
    assert seen(as_delivered(error)) == seen(sent(error))
    assert seen(as_delivered(sent(error))) == seen(sent(error))


def test_a_dead_server_is_told_from_any_reset_connection() -> None:
    assert type(sent(ServerDied(errno.ECONNRESET, "Disk died"))) is ServerDied
    assert type(sent(OSError(errno.ECONNRESET, "reset"))) is ConnectionResetError


@pytest.mark.parametrize(
    "error",
    [
        OSError(),
        OSError("text"),
        OSError("a", "b"),
        OSError(2**31, "too large"),
        OSError(-(2**70), "far too large"),
        ValueError(errno.ENOENT, "no"),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_what_is_a_bug_rather_than_a_failure(error: BaseException) -> None:
    assert not is_failure(error)


def test_fail() -> None:
    assert seen(fail(errno.ENOENT, "/x")) == seen(FileNotFoundError(2, os.strerror(2), "/x"))
    assert seen(fail(errno.EPERM)) == seen(PermissionError(1, os.strerror(1)))
    assert fail(errno.ENOENT, b"/x").filename == b"/x"


@given(st.binary(max_size=60))
def test_noise_is_no_error(message: bytes) -> None:
    try:
        parts = error_decoder(message)
    except MalformedMessage:
        return
    assert isinstance(parts, tuple)


def test_describe() -> None:
    assert describe(ValueError("x")) == "ValueError: x"
    assert describe(ValueError()) == "ValueError"
