"""What an access to memory can end in, as a signal ends a process."""

import errno
import signal
from typing import ClassVar, Final

from servers.memory.areas import Area
from servers.memory.mman import PROT_WRITE

LOST: Final = errno.EIO
"""What the memory manager says of a page that is mapped and can't be had."""


class Violation(OSError):
    """An access that can't be carried out.

    Attributes:
        address: where.
        access: PROT_READ or PROT_WRITE.
        area: what is mapped there; None: nothing is.
        signal: what a process would get for it.
    """

    signal: ClassVar[signal.Signals]
    what: ClassVar[str]
    code: ClassVar[int]

    def __init__(self, address: int, access: int, area: Area | None = None) -> None:
        kind = "store to" if access == PROT_WRITE else "load from"
        where = f"in {area}" if area else "not mapped"
        super().__init__(self.code, f"{self.what}: {kind} {address:#x}, {where}")
        self.address = address
        self.access = access
        self.area = area


class SegmentationFault(Violation):
    """An access to memory that is not mapped, or not for that."""

    signal = signal.SIGSEGV
    what = "segmentation fault"
    code = errno.EFAULT


class BusError(Violation):
    """An access to memory that is mapped, but whose page can't be had.

    The file is shorter than what is mapped, the disk can't be read, or has no room.
    """

    signal = signal.SIGBUS
    what = "bus error"
    code = LOST
