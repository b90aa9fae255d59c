"""Calls of the host that Python's os module lacks."""

import ctypes
import os
import resource
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

POKE: Final = signal.SIGURG
"""What a process gets that has something to look at; by default it does nothing."""

_ASKING: Final = (signal.SIGALRM, signal.SIGTSTP, signal.SIGQUIT)
"""Signals whose handlers may ask the kernel something."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_libc: Final = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Have the host kill this process when `parent` ends; exit if it has ended already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(os.EX_UNAVAILABLE)


def name_process(name: str) -> None:
    """What ps and top show for this process; 15 bytes at most."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def address_space() -> int:
    """Bytes of address space that this process has mapped."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def adopt_orphans() -> None:
    """Be the parent of descendants that lose theirs."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def hear_no_children() -> None:
    """In a child of who listens to SIGCHLD: do not."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)


def bury_strangers(kept: Collection[int]) -> None:
    """Reap those children that have ended and nobody waits for: who adopts has such."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        strangers = set(map(int, file.read().split())).difference(kept)
    for stranger in strangers:
        os.waitpid(stranger, os.WNOHANG)


@contextmanager
def adopting() -> Iterator[None]:
    """Be the parent of descendants that lose theirs, so that who waits for them sees their end."""
    adopt_orphans()
    try:
        yield
    finally:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@contextmanager
def unpoked() -> Iterator[None]:
    """Put off pokes, and whatever else has a handler that asks the kernel something.

    For this thread; a process that is poked keeps them away from its other ones.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {POKE, *_ASKING})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def refuse_new_privileges() -> None:
    """Let no program that this process might run have more rights than it."""
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def close_to_others() -> None:
    """Let no other process of this user look into this one's memory or descriptors, or trace it."""
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def open_many() -> None:
    """Have room for as many descriptors as the host grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def system_call(number: int, *arguments: object) -> int:
    """A system call that the C library has no function for; -1: `ctypes.get_errno` says why."""
    _libc.syscall.restype = ctypes.c_long
    return int(_libc.syscall(ctypes.c_long(number), *arguments))


def switches_of_ended() -> int:
    """Context switches of the children of this process that have ended, and of theirs."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_nvcsw + ended.ru_nivcsw
