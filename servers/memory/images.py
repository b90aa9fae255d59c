"""Operations for the process manager: the address spaces of programs.

What a program finds, from the bottom up:

    TEXT     its file, as it is: read and executed
    DATA     its variables: zeros, of its own
    heap     from `brk` on, empty
    mmap     what it maps, from the top down
    stack    at the very top, growing down
"""

import errno
from typing import Final

from servers.memory.layout import ADDRESS_END, HEAP_START, PAGE_SIZE
from servers.memory.limits import Limit
from servers.memory.mapping import MappingOperations
from servers.memory.mman import (
    MAP_ANONYMOUS,
    MAP_DENYWRITE,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    RLIMIT_AS,
)
from servers.memory.space import Space
from servers.who import Who, require_service
from twinos import Caller, fail, op

TEXT: Final = 0x40_0000
"""Where a program's file is mapped, as under Linux."""
DATA: Final = HEAP_START - PAGE_SIZE
"""A page of variables, up to where the heap begins."""
STACK: Final = 2 * PAGE_SIZE
"""Bytes of a stack that has not grown."""


class ImageOperations(MappingOperations):
    """What only services may ask, on behalf of programs: EPERM for users."""

    @op
    def exec(self, caller: Caller, who: Who, path: str) -> int:
        """A new address space of `who`, with a program's text, data and stack; its number.

        Raises:
            OSError: EAGAIN, ENOMEM as for `create` and `mmap`. EACCES, ENOENT and the like: `who`
                may not execute that file, or there is none.
        """
        require_service(caller)
        space = Space.create(self._machine, who.id)
        most = Limit(self._most_of_a_program, self._most_of_a_program)
        space.limits.set(RLIMIT_AS, most, superuser=True)
        self._machine.ledger.note(("limited", space.number, RLIMIT_AS, *most))
        try:
            self._lay_out(space, who, path)
        except BaseException:
            self._machine.ledger.note(("ended", space.number))
            space.destroy()
            raise
        return self._enter(space)

    @op
    def inherit(self, caller: Caller, parent: Who, child: Who, space: int) -> int:
        """A copy, as `fork` makes it, of a parent's address space for a child; its number.

        ESRCH and EPERM: it is none of the parent's; EAGAIN, ENOMEM as for `fork`.
        """
        require_service(caller)
        return self._enter(self._space(Caller(*parent), space).fork(child.id))

    @op
    def leave(self, caller: Caller, who: Who, space: int) -> None:
        """End an address space of `who`, if it has not ended. EPERM."""
        require_service(caller)
        try:
            self._end(self._space(Caller(*who), space))
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise fail(error.errno or errno.EPERM) from error

    def _lay_out(self, space: Space, who: Who, path: str) -> None:
        own = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
        file, size = self._machine.files.program(who, path)
        shown = self._machine.objects.of_file(file)
        try:
            if size:
                code, flags = PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_DENYWRITE | MAP_FIXED
                self._map(space, TEXT, min(size, DATA - TEXT), code, flags, shown)
        finally:
            self._machine.objects.let_go(shown)
        self._map(space, DATA, PAGE_SIZE, PROT_READ | PROT_WRITE, own)
        self._map(space, ADDRESS_END - STACK, STACK, PROT_READ | PROT_WRITE, own | MAP_GROWSDOWN)
