"""Address spaces for tests."""

from collections.abc import Callable
from typing import Any

from kernels.system import User
from servers.memory import AddressSpace, MemoryManager, SwapDisk
from twinos import Region


def new(user: User, number: int | None = None, tlb: int = 64) -> AddressSpace:
    """A new address space of a user, or another view of one."""
    regions = (user.region(MemoryManager, name) for name in ("frames", "tables"))
    return AddressSpace(user[MemoryManager], *regions, number=number, tlb=tlb)


def alone(*regions: Region, blocks: int = 16, **settings: Any) -> Any:
    """The service, without a kernel."""
    given = regions or (Region.create("frames"), Region.create("tables"))
    return MemoryManager(*given, SwapDisk(Region.create("swap"), blocks=blocks), **settings)


def errno_of(call: Callable[..., Any], *arguments: Any) -> int | None:
    """The errno with which a call fails; None: it does not."""
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return None
