"""Address spaces for tests."""

import errno
from collections.abc import Callable
from typing import Any, NoReturn

from kernels.system import User
from servers.filesystem import FileSystem
from servers.memory import AddressSpace, MemoryInfo, MemoryManager, SwapDisk
from tests.conftest import eventually
from twinos import Region


def new(user: User, number: int | None = None, tlb: int = 64) -> AddressSpace:
    """A new address space of a user, or another view of one."""
    regions = (user.region(MemoryManager, name) for name in ("frames", "tables"))
    files = user.region(FileSystem, "pages")
    return AddressSpace(user[MemoryManager], *regions, number=number, tlb=tlb, files=files)


def alone(*regions: Region, blocks: int = 16, **settings: Any) -> Any:
    """The service, without a kernel."""
    given = regions or (Region.create("frames"), Region.create("tables"))
    swap = SwapDisk(Region.create("swap"), blocks=blocks)
    return MemoryManager(*given, swap, NoFiles(), **settings)  # type: ignore[arg-type]  # as good


class NoFiles:
    """A FileSystem in which nobody has a file open."""

    def mapping_reset(self) -> int:
        return 4

    def mapping_open(self, who: int, fd: int) -> NoReturn:
        raise OSError(errno.EBADF, f"{fd} of {who}")


def nothing_is_missing(memory: MemoryManager, before: MemoryInfo) -> None:
    """Once those who had address spaces have departed, memory is at once as it was."""
    eventually(lambda: memory.meminfo().spaces == before.spaces, "all have departed")
    assert memory.meminfo() == before


def errno_of(call: Callable[..., Any], *arguments: Any) -> int | None:
    """The errno with which a call fails; None: it does not."""
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return None
