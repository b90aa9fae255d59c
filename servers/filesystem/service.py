"""The service: all operations, and what happens when callers and the system go."""

from servers.filesystem.attributes import AttributeOperations
from servers.filesystem.callers import CallerOperations
from servers.filesystem.listing import ListingOperations
from servers.filesystem.locking import LockOperations
from servers.filesystem.mapping import LendingOperations
from servers.filesystem.opening import OpenOperations
from servers.filesystem.programs import ProgramOperations
from servers.filesystem.rename import RenameOperation
from servers.filesystem.state import ACCESS
from servers.filesystem.survival import restore
from servers.filesystem.transfer import TransferOperations
from servers.filesystem.whole import WholeOperations
from twinos import Caller


class FileSystem(
    OpenOperations,
    TransferOperations,
    RenameOperation,
    ListingOperations,
    AttributeOperations,
    CallerOperations,
    ProgramOperations,
    WholeOperations,
    LendingOperations,
    LockOperations,
):
    """Files and directories in the MINIX version 3 format.

    Operations carry the names, the argument order and the meaning of Python's `os` module, `dir_fd`
    and descriptors in place of paths included; errors are those of Linux. Each caller has its own
    open files, working directory and umask, and is checked by its user, group and supplementary
    groups. *Path errors* are ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EINVAL (a zero in the
    path), and EUCLEAN and EIO for a damaged disk.

    On a disk that is only read, whatever would change something is EROFS, and access times stay.
    What is written is in memory until `sync`, `fsync`, the end of the system, or until memory runs
    short.

    Args:
        disk: what holds the file system; a blank disk gets an empty one.
        time: seconds since 1970 at which all clocks stand still; None means the host's time.
        memory: bytes for what is known of files, roughly (1 MiB at least).
        descriptors: how many files one caller may have open.
        inodes: for a blank disk: how many files it is to hold; None means one for three blocks.
        log: for a blank disk: how many of its blocks are for the log that makes every operation
            whole or absent after a loss of power; 0 for none, None for a sixteenth of a disk of
            1 MiB or more. See docs/crash-consistency.md.
        pages: pages of files that programs have mapped; see `lending`.
        mapped: how many there may be, 4 KiB each.
        journal: see `survival`.

    Raises:
        OSError: EINVAL, the disk holds something else; EUCLEAN, it is damaged.
    """

    def _saved(self) -> None:
        self._volume.write_back()

    def _restored(self, saved: bytes) -> None:
        if saved:
            restore(self._volume, self._contexts, self._records, self._flocks, saved)

    def _noted(self, data: bytes) -> None:
        number, now = ACCESS.unpack(data)
        inode = self._volume.table.get(number)
        inode.atime = now
        self._volume.table.mark(inode)

    def _departed(self, caller: Caller) -> None:
        context = self._contexts.pop(caller.id, None)
        if context is not None:
            for file in context.files.values():
                self._release(caller, file)
                if self._memory.used > self._memory.limit:
                    self._make_room()
            self._volume.closed(context.cwd)
            self._forget_asker()

    def _stopping(self) -> None:
        for context in list(self._contexts.values()):
            self._departed(context.caller)
        self._volume.unmount()
        self._volume.lending.end()
