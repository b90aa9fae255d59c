"""Operations on the content of open files."""

import errno
import os
from stat import S_IFDIR, S_IFIFO
from typing import Final

from servers.filesystem.content import MASK, SHIFT, STEP
from servers.filesystem.descriptors import OpenFile
from servers.filesystem.inode import Inode
from servers.filesystem.layout import BLOCK_SIZE
from servers.filesystem.permission import SET_ID
from servers.filesystem.state import State
from servers.filesystem.writing import PAGE, CrowdedError
from twinos import Caller, Pages, fail, op

INT64_END: Final = 1 << 63
_LONGEST: Final = 64 << 20
"""Bytes that one `read` gives at most; a longer one comes short, as POSIX allows."""


class FileOperations(State):
    """Operations on the content of open files."""

    @op
    def read(self, caller: Caller, fd: int, length: int) -> bytes | Pages:
        """Read up to `length` bytes, 64 MiB at most, from the position on; empty at the end.

        EBADF, EISDIR, EINVAL.
        """
        context = self._asking if caller is self._asker else self._context(caller)
        file = context.files.get(fd) or self._file(caller, fd)
        data = self._read(file, file.position, length)
        file.position += len(data)
        return data

    @op(repeatable=True)
    def pread(self, caller: Caller, fd: int, length: int, offset: int) -> bytes | Pages:
        """Read from `offset`, and leave the position alone. Errors are those of `read`."""
        if offset < 0:
            raise fail(errno.EINVAL)
        context = self._asking if caller is self._asker else self._context(caller)
        file = context.files.get(fd) or self._file(caller, fd)
        data = self._read(file, offset, length)
        if not data and file.inode.kind == S_IFIFO:
            raise fail(errno.ESPIPE)
        return data

    @op
    def write(self, caller: Caller, fd: int, data: bytes) -> int:
        """Write at the position, or at the end with O_APPEND; the number of bytes written.

        It is less than all when the disk is full or the file as large as one can be. EBADF, EFBIG,
        ENOSPC.
        """
        context = self._asking if caller is self._asker else self._context(caller)
        file = context.files.get(fd) or self._file(caller, fd)
        append = file.access.append
        offset = file.inode.size if append else file.position
        written = (
            self._append(caller, file, data) if append else self._write(caller, file, data, offset)
        )
        if written:  # of nothing even O_APPEND leaves the position alone
            file.position = offset + written
        return written

    @op
    def pwrite(self, caller: Caller, fd: int, data: bytes, offset: int) -> int:
        """Write at `offset`, and leave the position alone. Errors are those of `write`.

        With O_APPEND it writes at the end all the same, as Linux does.
        """
        if offset >> 63:
            raise fail(errno.EINVAL)
        context = self._asking if caller is self._asker else self._context(caller)
        file = context.files.get(fd) or self._file(caller, fd)
        if file.access.append:
            return self._append(caller, file, data)
        return self._write(caller, file, data, offset)

    @op
    def lseek(self, caller: Caller, fd: int, position: int, whence: int) -> int:
        """Move the position; the new one. `whence` is one of os.SEEK_*, DATA and HOLE included.

        EINVAL for a place before the start or beyond the largest size, ENXIO for no data there.
        """
        file = self._used(caller, fd)
        inode = file.inode
        if inode.kind == S_IFIFO:
            raise fail(errno.ESPIPE)
        if whence in {os.SEEK_DATA, os.SEEK_HOLE}:
            target = self._seek_content(inode, position, data=whence == os.SEEK_DATA)
        elif whence in {os.SEEK_SET, os.SEEK_CUR, os.SEEK_END}:
            target = position + (0, file.position, inode.size)[whence]
        else:
            raise fail(errno.EINVAL)
        if not 0 <= target <= self._volume.max_size:
            raise fail(errno.EINVAL)
        file.position = target
        return target

    @op(repeatable=True)
    def fsync(self, caller: Caller, fd: int) -> None:
        """Have the file, and its name, on the medium before this returns. EBADF, EIO."""
        self._used(caller, fd)
        self._volume.sync()

    @op(repeatable=True)
    def fdatasync(self, caller: Caller, fd: int) -> None:
        """The same as `fsync` here. EBADF, EIO."""
        self._used(caller, fd)
        self._volume.sync()

    def _read(self, file: OpenFile, offset: int, length: int) -> bytes | Pages:
        inode = file.inode
        data: bytes | Pages | None = inode.pages.get(offset >> SHIFT)
        # A whole page, mostly: a reference moves.
        if data is None or len(data) != length or offset & MASK or not file.access.read:
            data = self._read_any(file, offset, length)
        if not (0.0 <= self._time() - inode.atime < 1.0 or file.access.quiet or not length):
            self._accessed(inode)
        if self._memory.used > self._memory.limit:
            self._make_room()
        return data

    def _read_any(self, file: OpenFile, offset: int, length: int) -> bytes | Pages:
        inode = file.inode
        if length < 0 or offset >> 63:  # negative, or more than the host's calls can say
            raise fail(errno.EINVAL)
        if not file.access.read:
            raise fail(errno.EBADF)
        if inode.kind == S_IFDIR:
            raise fail(errno.EISDIR)
        if length <= STEP:
            return self._content.read_pages(inode, offset, length)
        end = min(offset + min(length, _LONGEST), inode.size)
        steps = range(offset, end, STEP)
        return b"".join([self._read_step(inode, at, min(STEP, end - at)) for at in steps])

    def _read_step(self, inode: Inode, offset: int, length: int) -> bytes:
        if self._memory.used > self._memory.limit:
            self._make_room()
        return self._content.read(inode, offset, length)

    def _write(self, caller: Caller, file: OpenFile, data: bytes, offset: int) -> int:
        access = file.access
        if not access.write:
            raise fail(errno.EBADF)
        if not data:
            return 0
        inode = file.inode
        written = len(data)
        first = offset >> SHIFT
        if (
            first in inode.changed
            and written == PAGE
            and not offset & MASK
            and len(inode.pages[first]) == PAGE
        ):
            inode.pages[first] = data  # a changed page once more: a reference moves
        else:
            written = self._write_any(inode, offset, data)
        inode.stat = None
        if not (
            inode.dirty and 0.0 <= self._time() - inode.mtime < 1.0 and inode.ctime == inode.mtime
        ):
            self._touch(inode)
        if inode.mode & SET_ID and caller.uid:
            self._drop_set_id(inode)
        if access.durable:
            self._volume.sync()
        if self._memory.used > self._memory.limit:
            self._make_room()
        return written

    def _append(self, caller: Caller, file: OpenFile, data: bytes) -> int:
        """Write at the end; a commit in the middle remembers where that was."""
        inode = file.inode
        self._volume.appending = inode.number, inode.size
        try:
            return self._write(caller, file, data, inode.size)
        finally:
            self._volume.appending = None

    def _write_any(self, inode: Inode, offset: int, data: bytes) -> int:
        """Write all, or as much as there is room for."""
        if len(data) > STEP or offset + len(data) > self._volume.max_size:
            return self._write_some(inode, offset, data)
        try:
            self._content.write(inode, offset, data)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return self._write_some(inode, offset, data)
        return len(data)

    def _write_some(self, inode: Inode, offset: int, data: bytes) -> int:
        """Write as much as the largest size, and the disk, have room for; how much that was.

        EFBIG or ENOSPC, and nothing is changed, if it is nothing.
        """
        size = min(len(data), self._volume.max_size - offset)
        if size <= 0:
            raise fail(errno.EFBIG)
        done, step = 0, STEP
        while done < size:
            part = data[done : min(size, done + step)]
            try:
                written = self._write_part(inode, offset + done, part)
            except CrowdedError:
                step = self._content.writer.step
                continue
            except OSError:
                if not done:
                    raise
                break
            done += written
            if written < len(part):
                break
            self._settle(inode)
        return done

    def _write_part(self, inode: Inode, offset: int, part: bytes) -> int:
        """Write all of it, or as many blocks as there is room for, with no commit in the middle.

        CrowdedError: in smaller parts only.
        """
        committed = False
        while True:
            try:
                self._content.write(inode, offset, part)
            except CrowdedError:
                if committed:
                    raise
                self._volume.table.mark(inode)  # earlier parts, if there are any, go along
                self._volume.write_back()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                self._volume.table.mark(inode)
                if committed or not self._volume.reclaim():
                    return self._write_blocks(inode, offset, part)
            else:
                return len(part)
            committed = True

    def _write_blocks(self, inode: Inode, offset: int, part: bytes) -> int:
        done = 0
        while done < len(part):
            start = offset + done
            block = part[done : done + BLOCK_SIZE - start % BLOCK_SIZE]
            try:
                self._content.write(inode, start, block, admitted=True)
            except OSError:
                if not done:
                    raise
                break
            done += len(block)
        return done

    def _settle(self, inode: Inode) -> None:
        """Make room in memory in the middle of a long operation on this file."""
        if self._memory.used > self._memory.limit:
            self._volume.table.mark(inode)
            self._make_room()

    def _seek_content(self, inode: Inode, position: int, *, data: bool) -> int:
        if not 0 <= position < inode.size:
            raise fail(errno.ENXIO)
        block, end = position // BLOCK_SIZE, -(-inode.size // BLOCK_SIZE)
        found = self._volume.maps.seek(inode, block, end, backed=data)
        if found == end and data:
            raise fail(errno.ENXIO)
        return min(max(position, found * BLOCK_SIZE), inode.size)
