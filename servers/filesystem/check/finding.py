"""What a check says: one value for each thing that is not as it should be."""

from enum import StrEnum
from typing import Final, NamedTuple


class Severity(StrEnum):
    """How bad a finding is.

    An error breaks the format: somebody who reads the image may be misled. A warning is harmless,
    or breaks only a limit that `fsck.minix` has and the format has not.
    """

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """What kind of finding it is."""

    # The image and its superblock.
    MAGIC = "magic"
    DIALECT = "dialect"
    GEOMETRY = "geometry"
    MAX_SIZE = "max-size"
    RESERVED = "reserved"
    TRUNCATED = "truncated"
    PARTIAL_BLOCK = "partial-block"
    # The log.
    LOG_HEADER = "log-header"
    LOG_DUE = "log-due"
    LOG_STALE = "log-stale"
    # Bitmaps.
    BITMAP_EDGE = "bitmap-edge"
    INODE_FREE = "inode-free"
    INODE_LEAKED = "inode-leaked"
    ZONE_FREE = "zone-free"
    ZONE_LEAKED = "zone-leaked"
    # Inodes.
    ROOT = "root"
    MODE = "mode"
    SIZE = "size"
    LINKS = "links"
    MANY_LINKS = "many-links"
    SPECIAL = "special"
    STALE = "stale"
    ZONE_RANGE = "zone-range"
    ZONE_SHARED = "zone-shared"
    LINK_TARGET = "link-target"
    # Directories.
    DIRECTORY_SIZE = "directory-size"
    DIRECTORY_HOLE = "directory-hole"
    DIRECTORY_LINKED = "directory-linked"
    DOT = "dot"
    DOT_DOT = "dot-dot"
    ENTRY_INODE = "entry-inode"
    NAME = "name"
    NAME_PADDING = "name-padding"
    DUPLICATE_NAME = "duplicate-name"
    DEEP = "deep"


_WARNINGS: Final = frozenset(
    [
        Code.RESERVED,
        Code.LOG_DUE,
        Code.LOG_STALE,
        Code.MANY_LINKS,
        Code.SPECIAL,
        Code.STALE,
        Code.DEEP,
    ]
)
NOT_AN_IMAGE: Final = frozenset([Code.MAGIC, Code.DIALECT])
"""Findings after which there is nothing to check."""
TIGHTER: Final = frozenset([Code.MANY_LINKS, Code.DEEP])
"""Warnings for what the format allows and `fsck.minix` calls an error."""


class Finding(NamedTuple):
    """One thing that is not as it should be.

    Attributes:
        severity: how bad it is.
        code: what kind of thing.
        text: one sentence for people.
        inode: the inode concerned, or 0.
        block: the block concerned, or 0.
    """

    severity: Severity
    code: Code
    text: str
    inode: int = 0
    block: int = 0


def found(code: Code, text: str, inode: int = 0, block: int = 0) -> Finding:
    """A finding with the severity that its code has."""
    severity = Severity.WARNING if code in _WARNINGS else Severity.ERROR
    return Finding(severity, code, text, inode, block)


def shown(name: bytes) -> str:
    """A name for people, whatever bytes it has."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
