"""What operations answer with: the names and the order of `os.stat_result` and its like."""

from stat import S_IFDIR, S_IFLNK, S_IFREG
from typing import Final, NamedTuple

from servers.filesystem.inode import Inode
from servers.filesystem.layout import MAGIC

_NS: Final = 1_000_000_000
PREFERRED: Final = 4096
"""The size of reads and writes that cost least (`st_blksize`)."""


class Stat(NamedTuple):
    """A file's inode; see `os.stat_result`. Times have whole seconds: the format keeps no more."""

    st_mode: int
    st_ino: int
    st_dev: int
    st_nlink: int
    st_uid: int
    st_gid: int
    st_size: int
    st_atime: float
    st_mtime: float
    st_ctime: float
    st_atime_ns: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_blksize: int
    st_blocks: int
    st_rdev: int


class StatVFS(NamedTuple):
    """A file system's room; see `os.statvfs_result`."""

    f_bsize: int
    f_frsize: int
    f_blocks: int
    f_bfree: int
    f_bavail: int
    f_files: int
    f_ffree: int
    f_favail: int
    f_flag: int
    f_namemax: int
    f_fsid: int = MAGIC


class MemoryUse(NamedTuple):
    """What a file system keeps in memory, and how much that may be.

    Attributes:
        limit: bytes that may be used; an operation in progress may need a little more.
        used: bytes that are, estimated by the numbers that follow.
        pages: pages of content.
        unwritten: of these, changed ones that are not on the disk.
        inodes: files of which the inode is known.
        names: names in directories that are known as a whole; what is not among them is known not
            to exist, without a look at the disk.
        nodes: blocks of block maps.
        blocks: other blocks of metadata.
        paths: directories by the paths that led there, of all callers.
    """

    limit: int
    used: int
    pages: int
    unwritten: int
    inodes: int
    names: int
    nodes: int
    blocks: int
    paths: int


class DirEntry(NamedTuple):
    """A name in a directory, and what it names itself: no symbolic link is followed.

    Attributes:
        name: the name.
        d_ino: the inode's number.
        d_type: its type, one of `stat.S_IF*`; 0 if a damaged disk does not say.
        d_off: where the entries after this one begin, for `readdir`.
    """

    name: str
    d_ino: int
    d_type: int
    d_off: int

    def inode(self) -> int:
        """The inode's number."""
        return self.d_ino

    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self.d_type == S_IFDIR

    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.d_type == S_IFREG

    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self.d_type == S_IFLNK


def stat_of(inode: Inode, sectors: int) -> Stat:
    """The answer to `stat`; `sectors` is how much of the disk the file has, in 512 bytes."""
    return Stat(
        inode.mode,
        inode.number,
        MAGIC,
        inode.links,
        inode.uid,
        inode.gid,
        inode.size,
        float(inode.atime),
        float(inode.mtime),
        float(inode.ctime),
        inode.atime * _NS,
        inode.mtime * _NS,
        inode.ctime * _NS,
        PREFERRED,
        sectors,
        inode.device,
    )
