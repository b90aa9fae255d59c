"""Memory that is shared by name, after shm_open(3)."""

import errno
import os
from typing import Final

from servers.memory.mman import SHM_FIRST
from servers.memory.objects import NamedObject
from servers.memory.state import MemoryState
from twinos import Caller, fail, op

NAME_MAX: Final = 255
MOST_OPEN: Final = 1024
"""Descriptors that a caller may have."""
MOST_NAMES: Final = 1024
"""Names that a user may have given: what has one stays when its maker has gone."""
_FLAGS: Final = os.O_ACCMODE | os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_CLOEXEC
_READ: Final = 4
_WRITE: Final = 2


class SharingOperations(MemoryState):
    """Memory that is shared by name.

    It is zeros when it is new, lives until its name is removed and nobody has it open or mapped,
    and is mapped with the descriptor that `shm_open` gives. These begin at 2**20, so that none is
    taken for a file's.
    """

    @op
    def shm_open(self, caller: Caller, name: str, flags: int, mode: int = 0o600) -> int:
        """Open shared memory, or make some of size 0 (O_CREAT); its descriptor.

        Args:
            caller: who asks.
            name: a slash, and then up to 254 characters that are none.
            flags: O_RDONLY or O_RDWR, with O_CREAT, O_EXCL and O_TRUNC.
            mode: of what is made, who may open it.

        Raises:
            OSError: EACCES: the mode does not allow it. EEXIST: O_EXCL, and there is some. EINVAL:
                no such name or flags can be. EMFILE: the caller has 1024 open. ENAMETOOLONG.
                ENOENT: there is none. ENOSPC: the user has given 1024 names.
        """
        _check_name(name)
        if flags & ~_FLAGS or flags & os.O_ACCMODE not in {os.O_RDONLY, os.O_RDWR}:
            raise fail(errno.EINVAL, name)
        if len(self._descriptors.get(caller.id, ())) >= MOST_OPEN:
            raise fail(errno.EMFILE, name)
        one = self._named.get(name)
        if one is None:
            if not flags & os.O_CREAT:
                raise fail(errno.ENOENT, name)
            if sum(other.uid == caller.uid for other in self._named.values()) >= MOST_NAMES:
                raise fail(errno.ENOSPC, name)
            one = self._machine.objects.create_named(caller, mode)
            self._named[name] = one
            self._machine.ledger.note(("named", name, one.number))
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise fail(errno.EEXIST, name)
        elif not _may(caller, one, _READ | (_WRITE if flags & os.O_ACCMODE else 0)):
            raise fail(errno.EACCES, name)
        if flags & os.O_TRUNC and flags & os.O_ACCMODE == os.O_RDWR:
            self._resize(one, 0)
        return self._enter_descriptor(caller, one, writable=flags & os.O_ACCMODE == os.O_RDWR)

    @op
    def shm_truncate(self, caller: Caller, fd: int, length: int) -> None:
        """Give shared memory this size; what is new is zeros, what is beyond it gone.

        Raises:
            OSError: EBADF. EINVAL: it is not open for writing, or the length is negative. ENOMEM:
                so much can't be promised.
        """
        one, writable = self._shared(caller, fd)
        if not writable or length < 0:
            raise fail(errno.EINVAL)
        self._resize(one, length)

    @op(idempotent=True)
    def shm_size(self, caller: Caller, fd: int) -> int:
        """The size of shared memory, in bytes. EBADF."""
        return self._shared(caller, fd)[0].size

    @op
    def shm_close(self, caller: Caller, fd: int) -> None:
        """Close a descriptor; what is mapped stays so. EBADF."""
        one, _ = self._shared(caller, fd)
        del self._descriptors[caller.id][fd]
        self._machine.ledger.note(("closed", caller.id, fd))
        self._let_go(one)

    @op
    def shm_unlink(self, caller: Caller, name: str) -> None:
        """Remove a name; who has it open or mapped keeps the memory. EACCES, ENOENT."""
        one = self._named.get(name)
        if one is None:
            raise fail(errno.ENOENT, name)
        if caller.uid not in {0, one.uid}:
            raise fail(errno.EACCES, name)
        del self._named[name]
        self._machine.ledger.note(("unnamed", name))
        self._let_go(one)

    def _departed(self, caller: Caller) -> None:
        for fd, (one, _) in self._descriptors.pop(caller.id, {}).items():
            self._machine.ledger.note(("closed", caller.id, fd))
            self._let_go(one)
        super()._departed(caller)

    def _enter_descriptor(self, caller: Caller, one: NamedObject, *, writable: bool) -> int:
        mine = self._descriptors.setdefault(caller.id, {})
        fd = next(
            number for number in range(SHM_FIRST, SHM_FIRST + MOST_OPEN) if number not in mine
        )
        mine[fd] = one, writable
        self._machine.ledger.note(("opened", caller.id, fd, one.number, writable))
        one.keepers += 1
        return fd

    def _resize(self, one: NamedObject, size: int) -> None:
        one.resize(size, self._machine.commit, self._machine.reclaim, self._machine.ledger)

    def _let_go(self, one: NamedObject) -> None:
        one.keepers -= 1
        self._machine.objects.let_go(one)


def _check_name(name: str) -> None:
    if not name.startswith("/") or "/" in name[1:] or "\0" in name or name in {"/", "/.", "/.."}:
        raise fail(errno.EINVAL, name)
    if len(name.encode(errors="surrogateescape")) > NAME_MAX:
        raise fail(errno.ENAMETOOLONG, name)


def _may(caller: Caller, one: NamedObject, wanted: int) -> bool:
    """Whether the mode of shared memory allows somebody to read it, and to write it."""
    if caller.uid == 0:
        return True
    mode = one.mode
    if caller.uid == one.uid:
        mode >>= 6
    elif one.gid in {caller.gid, *caller.groups}:
        mode >>= 3
    return mode & wanted == wanted
