"""Disks on which there is nearly no room left when a script begins."""

import os
from typing import Any, Final

from twinos import Caller

INODES: Final = 16
"""Of a disk that has few: a script makes more files than that."""
FULL: Final = "full"
"""The file that takes the room."""
_OWNER: Final = Caller(1)


def fill(files: Any, spare: int) -> None:
    """Have `FULL` take all blocks but so many, or fewer."""
    descriptor = files.open(_OWNER, FULL, os.O_CREAT | os.O_WRONLY)
    while files.statvfs(_OWNER, "/").f_bfree > spare:
        files.write(_OWNER, descriptor, bytes(1024))
    files.close(_OWNER, descriptor)


def fill_table(files: Any, spare: int) -> None:
    """Have files without content take all inodes but so many."""
    for number in range(files.statvfs(_OWNER, "/").f_ffree - spare):
        files.mknod(_OWNER, f"/full{number}")
