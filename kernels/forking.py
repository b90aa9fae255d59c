"""Forking: a program copies its own process, and the copy is somebody else from its first request.

Only a process can copy its memory, so it forks itself; but who the copy is, it may not say. So the
kernel makes the child's caller beforehand, with a connection of its own, which the parent fetches
for it (`Cradle`): whoever talks there is that caller. The child is born when it has said, there,
which process it is (`Born`), and the kernel has seen that the process is a child of its own.

It becomes one by way of a process in the middle, which ends at once: the kernel adopts descendants
that lose their parent. So it can reap and signal a forked program as any other.
"""

import errno
import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from kernels.agent import Agent
from kernels.control import Born, Cradle, Granted
from kernels.host import die_with_parent, unpoked
from kernels.parcels import socket_pair
from kernels.peers import Peer
from kernels.switchboard import Switchboard
from twinos import Caller, fail

_MOMENT: Final = 0.0001


@dataclass(frozen=True)
class _Unborn:
    parent: int
    peer: Peer
    cradle: socket.socket


class Cradles:
    """Connections, in the kernel, that wait for the processes that are to be born.

    Args:
        board: where to listen to them.
    """

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._unborn: dict[int, _Unborn] = {}

    def make(self, parent: int, child: Caller) -> None:
        """A cradle for a child of that caller. OSError: the host has no room."""
        ours, theirs = socket_pair()
        peer = Peer(ours, (child.uid, child.gid, child.groups), callers={child.id: child})
        self._board.admit(peer)
        self._unborn[child.id] = _Unborn(parent, peer, theirs)

    def hand_over(self, peer: Peer, number: int, child: int) -> None:
        """Give a parent the child's end of the connection, once. EPERM: it is not the parent."""
        unborn = self._unborn.get(child)
        if unborn is None or unborn.parent not in peer.callers or unborn.cradle.fileno() < 0:
            raise fail(errno.EPERM)
        with unborn.cradle as cradle:
            peer.answer(Granted(), number, (cradle.fileno(),))

    def leave(self, peer: Peer) -> Caller:
        """Who is born, by a message on that connection. EPERM: nobody is."""
        for child, unborn in self._unborn.items():
            if unborn.peer is peer:
                del self._unborn[child]
                return peer.callers[child]
        raise fail(errno.EPERM)

    def remove(self, caller: int) -> bool:
        """A caller is gone: it is not born, nor is who it was to fork. Whether there was any."""
        gone = [
            child
            for child, unborn in self._unborn.items()
            if caller == child or (caller == unborn.parent and unborn.cradle.fileno() >= 0)
        ]
        for unborn in map(self._unborn.pop, gone):
            unborn.cradle.close()
            self._board.drop(unborn.peer)
        return bool(gone)


def child_of_ours(pidfd: int) -> int:
    """The process behind a descriptor. EPERM: it is no child of this one."""
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as info:
            return int(next(line for line in info if line.startswith("Pid:")).split()[1])
    except (OSError, StopIteration, ValueError):
        raise fail(errno.EPERM) from None


def fork_program(agent: Agent, caller: Caller, child: int) -> bool:
    """Fork this program; whether this is the child, which acts for the caller `child` from now on.

    Args:
        agent: the program's.
        caller: who it is.
        child: who was made for it by `Tasks.bear`.

    Raises:
        OSError: EAGAIN: the host has no room; the child has departed.
    """
    kernel = os.getppid()
    with unpoked():
        _, (cradle,) = agent.ask(Cradle(child))
        with socket.socket(fileno=cradle) as connection, _pipe() as (birth, told):
            middle = _fork()
            if middle:
                told.close()
                _await_birth(middle, birth)
                return False
            _leave_the_child(kernel)
            agent.be_born(connection.dup(), {caller.id: child})
            itself = os.pidfd_open(os.getpid())
            agent.ask(Born(), (itself,))
            os.close(itself)
            told.write(b"!")
    return True


@contextmanager
def _pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    source, sink = os.pipe2(os.O_CLOEXEC)
    with open(source, "rb", 0) as birth, open(sink, "wb", 0) as told:
        yield birth, told


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # POSIX: the other threads stay behind
        try:
            return os.fork()
        except OSError as error:
            raise fail(errno.EAGAIN) from error


def _await_birth(middle: int, birth: BinaryIO) -> None:
    """What the parent does: wait until the kernel knows the child, or it is lost."""
    _, status = os.waitpid(middle, 0)
    if status:
        raise fail(errno.EAGAIN)
    birth.read(1)


def _leave_the_child(kernel: int) -> None:
    """What the process in the middle does: fork again, and end; the child comes back from here."""
    middle = os.getpid()
    try:
        if _fork():
            os._exit(os.EX_OK)
    except OSError:
        os._exit(os.EX_OSERR)
    while os.getppid() == middle:  # it has nothing else to do than to end
        time.sleep(_MOMENT)
    die_with_parent(kernel)
