"""Parcels: how control messages travel, with descriptors, over a socket that keeps their bounds."""

import array
import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from twinos import fail
from twinos.codec import encode

LONGEST: Final = 1 << 16
"""Bytes in one control message at most."""
MOST_DESCRIPTORS: Final = 4

_NUMBER: Final = struct.Struct("<I")
_DESCRIPTOR: Final = struct.Struct("i")
_ROOM: Final = socket.CMSG_SPACE(MOST_DESCRIPTORS * _DESCRIPTOR.size)


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a control connection."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)


def post(
    connection: socket.socket,
    message: msgspec.Struct,
    descriptors: Sequence[int] = (),
    number: int = 0,
) -> None:
    """Send a message and copies of descriptors; an answer bears the number of what was asked.

    Raises:
        OSError: EMSGSIZE, it is longer than `LONGEST`; or the other side is closed.
    """
    encoded = _NUMBER.pack(number) + encode(message)
    if len(encoded) > LONGEST:
        raise fail(errno.EMSGSIZE)
    ancillary = []
    if descriptors:
        passed = array.array("i", descriptors)
        ancillary.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, passed))
    connection.sendmsg([encoded], ancillary)


class Parcel(NamedTuple):
    """What arrived: its number, the message still encoded, and descriptors, now the receiver's."""

    number: int
    message: bytes
    descriptors: list[int]


def take(connection: socket.socket) -> Parcel:
    """The next message.

    Raises:
        EOFError: the other side is closed, or sends what is no message.
        BlockingIOError: there is none yet, and the connection does not wait.
    """
    try:
        # Not `socket.recv_fds`: it forgets its flags.
        data, ancillary, _, _ = connection.recvmsg(LONGEST, _ROOM, socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        raise
    except OSError:
        raise EOFError from None
    descriptors = [descriptor for item in ancillary for descriptor in _passed(*item)]
    if len(data) < _NUMBER.size:
        close_all(descriptors)
        raise EOFError
    return Parcel(_NUMBER.unpack_from(data)[0], data[_NUMBER.size :], descriptors)


def _passed(level: int, kind: int, data: bytes) -> list[int]:
    """The descriptors in one ancillary item."""
    if (level, kind) != (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        return []
    whole = len(data) - len(data) % _DESCRIPTOR.size
    return [descriptor for (descriptor,) in _DESCRIPTOR.iter_unpack(data[:whole])]


def close_all(descriptors: Iterable[int]) -> None:
    """Close descriptors that came with a message and have found no use."""
    for descriptor in descriptors:
        os.close(descriptor)
