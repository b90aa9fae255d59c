"""Operations that move content without a visit to the caller, or in many pieces."""

import errno
import os
from stat import S_IFDIR, S_IFREG
from typing import Final

from servers.filesystem.content import STEP
from servers.filesystem.descriptors import OpenFile
from servers.filesystem.files import INT64_END, FileOperations
from servers.filesystem.inode import Inode
from servers.filesystem.layout import BLOCK_SIZE
from twinos import Caller, fail, op

_IOV_MAX: Final = 1024
_MOST: Final = 0x7FFF_F000
"""Bytes that one request moves at most, as on Linux."""
_DURABLE: Final = os.RWF_DSYNC | os.RWF_SYNC
_APPEND: Final = 0x10  # RWF_APPEND: Python's name for it came with 3.10 and some libc lack it
_ADVICE: Final = frozenset(
    [
        os.POSIX_FADV_NORMAL,
        os.POSIX_FADV_RANDOM,
        os.POSIX_FADV_SEQUENTIAL,
        os.POSIX_FADV_WILLNEED,
        os.POSIX_FADV_DONTNEED,
        os.POSIX_FADV_NOREUSE,
    ]
)


class TransferOperations(FileOperations):
    """Operations that move content within the file system, and vectors."""

    @op
    def writev(self, caller: Caller, fd: int, buffers: tuple[bytes, ...]) -> int:
        """`write` of several buffers as if they were one. EINVAL for more than 1,024."""
        if len(buffers) > _IOV_MAX:
            raise fail(errno.EINVAL)
        file = self._used(caller, fd)
        offset = file.inode.size if file.access.append else file.position
        data = b"".join(buffers)
        if file.access.append:
            written = self._append(caller, file, data)
        else:
            written = self._write(caller, file, data, offset)
        if written:
            file.position = offset + written
        return written

    @op
    def pwritev(
        self, caller: Caller, fd: int, buffers: tuple[bytes, ...], offset: int, flags: int = 0
    ) -> int:
        """`pwrite` of several buffers as if they were one.

        Known flags: os.RWF_APPEND, RWF_DSYNC, RWF_SYNC; EOPNOTSUPP for others.
        """
        if len(buffers) > _IOV_MAX or not 0 <= offset < INT64_END:
            raise fail(errno.EINVAL)
        if flags & ~(_DURABLE | _APPEND):
            raise fail(errno.EOPNOTSUPP)
        file = self._used(caller, fd)
        if file.access.append or flags & _APPEND:
            written = self._append(caller, file, b"".join(buffers))
        else:
            written = self._write(caller, file, b"".join(buffers), offset)
        if flags & _DURABLE:
            self._volume.sync()
        return written

    @op
    def sendfile(
        self, caller: Caller, out_fd: int, in_fd: int, offset: int | None, count: int
    ) -> int:
        """Copy up to `count` bytes of one open file to the position of another; how many it was.

        They come from `offset`, or from the position, which then moves. EBADF, EINVAL, EISDIR; the
        errors of `write`.
        """
        source, target = self._used(caller, in_fd), self._used(caller, out_fd)
        if not (source.access.read and target.access.write):
            raise fail(errno.EBADF)
        start = source.position if offset is None else offset
        if start < 0 or count < 0 or target.access.append:
            raise fail(errno.EINVAL)
        done = self._copy(caller, source, start, target, target.position, count)
        target.position += done
        if offset is None:
            source.position += done
        return done

    @op
    def copy_file_range(
        self,
        caller: Caller,
        src: int,
        dst: int,
        count: int,
        offset_src: int | None = None,
        offset_dst: int | None = None,
    ) -> int:
        """Copy up to `count` bytes from one open file to another; how many it was.

        Without an offset a position is used, and moves. EBADF, EISDIR, EINVAL (also for ranges of
        one file that overlap); the errors of `write`.
        """
        source, target = self._used(caller, src), self._used(caller, dst)
        start = source.position if offset_src is None else offset_src
        to = target.position if offset_dst is None else offset_dst
        if count < 0 or start < 0 or to < 0:
            raise fail(errno.EINVAL)
        _check_copy(source, target)
        count = min(count, max(0, source.inode.size - start))
        if source.inode is target.inode and abs(start - to) < count:
            raise fail(errno.EINVAL)
        done = self._copy(caller, source, start, target, to, count)
        if offset_src is None:
            source.position += done
        if offset_dst is None:
            target.position += done
        return done

    @op
    def posix_fallocate(self, caller: Caller, fd: int, offset: int, len: int) -> None:  # noqa: A002 (os names it so)
        """Have room on the disk for these bytes, so that writing them can't fail for want of it.

        EBADF, EINVAL, EFBIG; ENOSPC, and nothing is changed.
        """
        file = self._used(caller, fd)
        if offset < 0 or len <= 0:
            raise fail(errno.EINVAL)
        if not file.access.write:
            raise fail(errno.EBADF)
        end = offset + len
        if end > self._volume.max_size:
            raise fail(errno.EFBIG)
        self._allocate(file.inode, offset, end)
        self._content_changed(file.inode, caller)

    @op(repeatable=True)
    def posix_fadvise(self, caller: Caller, fd: int, offset: int, len: int, advice: int) -> None:  # noqa: A002 (os names it so)
        """Take note of how a file will be used: nothing follows from it here. EBADF, EINVAL."""
        self._used(caller, fd)
        if len < 0 or advice not in _ADVICE:
            raise fail(errno.EINVAL)
        del offset

    def _copy(
        self, caller: Caller, source: OpenFile, start: int, target: OpenFile, to: int, count: int
    ) -> int:
        """Copy piece by piece; what went well counts if a later piece fails."""
        count = min(count, _MOST)
        done = 0
        while done < count:
            try:
                data = bytes(self._read(source, start + done, min(STEP, count - done)))
                written = self._write(caller, target, data, to + done) if data else 0
            except OSError:
                if not done:
                    raise
                break
            done += written
            if not written:
                break
        return done

    def _allocate(self, inode: Inode, start: int, end: int) -> None:
        """Put zeros where blocks between these bytes are missing."""
        first, last = start // BLOCK_SIZE, -(-end // BLOCK_SIZE)
        maps = self._volume.maps
        maps.afford(inode, first, last)
        self._volume.reclaim()  # what is free may be held back
        if end > inode.size:
            self._content.truncate(inode, end)
        step = STEP // BLOCK_SIZE
        settled = first
        while first < last:
            first = maps.seek(inode, first, last, backed=False)
            stop = min(maps.seek(inode, first, last, backed=True), first + step)
            if first < stop:
                size = min(stop * BLOCK_SIZE, end) - first * BLOCK_SIZE
                zeros = bytes(size)
                self._content.write(inode, first * BLOCK_SIZE, zeros, admitted=True)
            if stop - settled >= step:
                settled = stop
                self._settle(inode)
            first = stop


def _check_copy(source: OpenFile, target: OpenFile) -> None:
    kinds = source.inode.kind, target.inode.kind
    if S_IFDIR in kinds:
        raise fail(errno.EISDIR)
    if kinds != (S_IFREG, S_IFREG):
        raise fail(errno.EINVAL)
    if not (source.access.read and target.access.write) or target.access.append:
        raise fail(errno.EBADF)
