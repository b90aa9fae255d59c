"""The memory manager: address spaces over physical frames, after mmap(2), brk(2) and fork(2)."""

import errno

from servers.memory.accounts import AccountOperations
from servers.memory.images import ImageOperations
from servers.memory.ledger import written
from servers.memory.mman import PROT_READ, PROT_WRITE
from servers.memory.sharing import SharingOperations
from servers.memory.space import Space
from servers.memory.state import WORD_MASK
from servers.memory.survival import Chronicle
from twinos import Caller, fail, op


class MemoryManager(ImageOperations, SharingOperations, AccountOperations):
    """Virtual memory: address spaces, demand paging, copy-on-write fork, page replacement.

    Loads and stores do not come here. They go through an `Mmu` on the user's side, which walks the
    page tables in `tables` and reaches the bytes in `frames`; only a fault is a request. The MMU
    stands for hardware, so a user who holds these regions is trusted as hardware is.

    An address space belongs to the caller who created it and ends with it. For everybody else,
    every operation that names it fails: ESRCH, there is no such space; EPERM, it is another's.
    Addresses and lengths are 64-bit words, as in a system call: -1 is 2**64 - 1.

    When no frame is free, the policy names a page that goes to the swap area. Without
    overcommitment, what may be written is promised when it is mapped, and what can't be promised is
    refused with ENOMEM; a store never fails. With it, nothing is refused, and when memory runs out
    the address space that has the most pages is ended; `kills` names it.

    It survives its process: the regions keep pages and page tables, the journal the rest. So a page
    fault costs no record.

    Args:
        frames: physical memory.
        tables: page tables and reference counts; see `layout`.
        swap: the disk that pages go to when frames run short.
        files: whose files can be mapped. Their pages are borrowed, and lie in its region `pages`.
        pages: page frames of physical memory, 4 KiB each.
        page_tables: page tables, 4 KiB each; a space of N pages in a row needs N / 512 and two.
        spaces: how many address spaces there may be.
        policy: which page gives up its frame; a name out of `policies`.
        seed: for a policy that draws lots.
        quantum: page faults between two ticks of the policy's clock; 0: only `tick` is one.
        overcommit: whether to promise more than there is room for.
        journal: what the regions do not keep.
        program: bytes of the address space that a program gets (RLIMIT_AS), so that none has all
            that there is to promise.

    Raises:
        OSError: EINVAL: a setting is out of range, or there is no such policy.
    """

    @op
    def create(self, caller: Caller) -> int:
        """A new, empty address space; its number, above 0 and never used again.

        Raises:
            OSError: EAGAIN: there are too many. ENOMEM: no page table is free.
        """
        return self._enter(Space.create(self._machine, caller.id))

    @op
    def destroy(self, caller: Caller, space: int) -> None:
        """End an address space and free all that only it holds."""
        self._end(self._space(caller, space))

    @op
    def fork(self, caller: Caller, space: int) -> int:
        """A copy of an address space; its number.

        Private pages are shared until either side writes to them; shared areas stay shared.

        Raises:
            OSError: EAGAIN: there are too many. ENOMEM: not enough page tables are free, or its
                pages can't be promised a second time.
        """
        return self._enter(self._space(caller, space).fork(caller.id))

    @op(repeatable=True)  # the page tables are the record
    def fault(self, caller: Caller, space: int, address: int, access: int) -> bool:
        """The page fault: the MMU found no translation that permits an access.

        Args:
            caller: whose MMU it is.
            space: the address space.
            address: the address.
            access: PROT_READ or PROT_WRITE.

        Returns:
            Whether a page that was there has been replaced by a copy, so that translations of it
            are wrong now.

        Raises:
            OSError: EFAULT: the access is not allowed. EINVAL: not an access. EIO: the page can't
                be had. ENOMEM: no page table is free, or all pages are locked; nothing has
                changed, and it may be tried again. ESRCH: the space was ended just now, because
                memory ran out.
        """
        where = self._space(caller, space)
        if access not in {PROT_READ, PROT_WRITE}:
            raise fail(errno.EINVAL)
        while True:
            try:
                return where.fault(address & WORD_MASK, access)
            except OSError as error:
                if error.errno != errno.ENOMEM or not self._overcommit:
                    raise
            self._kill_one()
            where = self._space(caller, space)

    @property
    def _chronicle(self) -> Chronicle:
        state = self._spaces, self._kills, self._named, self._descriptors
        return Chronicle(self._machine, *state)

    def _unsaved(self) -> bytes:
        return self._machine.ledger.taken()

    def _saved(self) -> bytes:
        self._machine.ledger.taken()  # is part of it
        return written(list(self._chronicle.told()))

    def _restored(self, saved: bytes) -> None:
        self._chronicle.tell(saved)

    def _noted(self, data: bytes) -> None:
        self._chronicle.tell(data)

    def _recovered(self) -> None:
        self._chronicle.complete()
