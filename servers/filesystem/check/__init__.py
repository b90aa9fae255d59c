"""Checking an image of the MINIX version 3 format without booting anything, in layers.

Bottom up:

image        the blocks of an image, in a file or in memory
bits         bitmaps
finding      what a check says
inodes       records of the inode table, and where they lead to
entries      records of a directory, and what is wrong with them
superblock   whether block 1 agrees with itself and with the image
log          what the log holds; the rest of the check takes that as done
checker      everything else

It knows every rule of the format that `fsck.minix -f` knows, and those that it does not. It never
hangs: a block is followed as an indirect block or as part of a directory at most once; and it keeps
no more than the bitmaps, the inode table and one directory's names in memory.
"""

from servers.filesystem.check.checker import check
from servers.filesystem.check.finding import Code, Finding, Severity
from servers.filesystem.check.image import FileImage, Image, MemoryImage

__all__ = ["Code", "FileImage", "Finding", "Image", "MemoryImage", "Severity", "check"]
