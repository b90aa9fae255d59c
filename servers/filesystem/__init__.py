"""A file system in the MINIX version 3 format, in layers.

Bottom up:

layout       the numbers and records on the disk
batch        what one commit changes, and the order that it needs without a log
logformat    the log on the disk
mkfs         making an empty file system
log          commits that are whole or absent, and recovery
memory       how much is kept, and when a commit is due
cache        blocks of metadata, and what is on its way to the disk
bitmap       which inodes and zones are taken
inode        files in memory, and the inode table
blockmap     where the blocks of a file lie: direct to triple indirect, holes
heap         the memory that pages are made of
content      the bytes of files, in pages
directory    names
lent, lending pages that programs have mapped
survey       who claims what, when the disk is mounted
volume       the layers put together: write-back, forgetting
permission   who may do what
descriptors  what is kept for each caller
path         from a path to an inode
results      what operations answer with
state        what operations share
opening, files, transfer, tree, rename, listing, attributes, callers, programs, whole, mapping
             the operations
service      the service

Beside them, on images that are not in use:

check        every rule of the format, those that fsck.minix misses included
repair       making a damaged image obey them
"""

from servers.filesystem.mapping import Cuts, Mapped, Text
from servers.filesystem.mkfs import make_filesystem
from servers.filesystem.results import DirEntry, MemoryUse, Stat, StatVFS
from servers.filesystem.service import FileSystem

__all__ = [
    "Cuts",
    "DirEntry",
    "FileSystem",
    "Mapped",
    "MemoryUse",
    "Stat",
    "StatVFS",
    "Text",
    "make_filesystem",
]
