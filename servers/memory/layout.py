"""What the service and the MMU agree on: addresses, page-table entries, the `tables` region.

An address, 39 bits in three levels as in RISC-V's Sv39:

    38        30 29        21 20        12 11           0
    | level 2   | level 1    | level 0    | offset in    |
    | index     | index      | index      | the page     |

The `tables` region, in pages of 4 KiB:

    page 0                  the header
    pages 1..               the spaces: one slot of 256 bytes each
    then                    the reference counts of the frames, 4 bytes each
    then                    what of pages outlives the service: see `record`
    the rest                page tables, 512 entries each; an entry names a table by its page here

An entry of a page table, 64 bits:

    56      48         47          12  11       10      9     8      2     1         0
    | dirty | accessed | frame, table | swapped| shared| copy| copied| user| writable| present |
    |       |          | or swap slot |        |       | on w|       |     |         |         |

`accessed` and `dirty` have a byte each because the MMU sets them while the service may be writing
the rest of the entry: hardware has a locked `or` for that, this host's Python only a byte store.
A store that comes too late finds an entry that is not present, where these two mean nothing; and
one of the service, which changes whole tables, may undo one of the MMU. So they are hints: what
must be written before a frame is given away the service knows by itself, because a page that is
not `writable` asks it first (`copy on write`).

A `swapped` entry is not present: its page is in that slot of the swap area. One that is `copied`
(bit 8) is of a private copy of a page of a file. When a file is cut such copies beyond its end go,
too; so the MMU takes it for a fault when FileSystem has cut something that the service has not
heard of yet, which the header tells.
"""

from typing import Final

PAGE_SHIFT: Final = 12
PAGE_SIZE: Final = 1 << PAGE_SHIFT
PAGE_MASK: Final = PAGE_SIZE - 1

LEVELS: Final = 3
INDEX_BITS: Final = 9
ENTRIES: Final = 1 << INDEX_BITS
INDEX_MASK: Final = ENTRIES - 1

PAGES: Final = 1 << LEVELS * INDEX_BITS
ADDRESS_END: Final = PAGES << PAGE_SHIFT
"""No address of a user reaches this one: 512 GiB."""
ADDRESS_START: Final = 0x1_0000
"""Nothing is mapped below, so that a null pointer and its surroundings always fault."""
HEAP_START: Final = 0x1000_0000
"""Where `brk` begins."""

PRESENT: Final = 1 << 0
WRITABLE: Final = 1 << 1
USER: Final = 1 << 2
COPIED: Final = 1 << 8
COPY_ON_WRITE: Final = 1 << 9
SHARED: Final = 1 << 10
SWAPPED: Final = 1 << 11
FRAME_MASK: Final = (1 << 36) - 1
ACCESSED_BYTE: Final = 6
DIRTY_BYTE: Final = 7
ACCESSED: Final = 1 << 8 * ACCESSED_BYTE
DIRTY: Final = 1 << 8 * DIRTY_BYTE

WORD: Final = 8
MAGIC: Final = int.from_bytes(b"TwinOS/M", "little")
VERSION: Final = 3
HEADER_MAGIC: Final = 0
HEADER_VERSION: Final = 1
HEADER_SPACES: Final = 2
HEADER_FRAMES: Final = 3
HEADER_CUTS: Final = 4
HEADER_LENT: Final = 5
HEADER_LEAVING: Final = 6
HEADER_EVENTS: Final = 8
"""Words of the header: what this is, how many slots it has, how many frames there are, what
FileSystem's count of what it took back was when the service last asked, how many frames it lends;
in two words, which frame is on its way to which slot of the swap area, each plus 1; and from there
on what has happened so far: see `events`."""

SLOTS: Final = PAGE_SIZE // WORD
SLOT_WORDS: Final = 32
SLOT_SPACE: Final = 0
SLOT_ROOT: Final = 1
SLOT_GENERATION: Final = 2
SLOT_EVENTS: Final = 3
SLOT_LANES: Final = 8
"""Words of a slot: the space that lives here or was the last to; its root table (0: none lives
here); how often translations of this slot became invalid, which the MMU compares at each access;
its page faults; and from there on one word for each process with MMUs of the space, its lane."""

LANES: Final = 13
"""Processes that may have MMUs of a space. A lane is 0 while it is nobody's; else it says whose it
is, the process shifted by `LANE_SHIFT`, and whether `LANE_BUSY`."""
LANE_BUSY: Final = 1
LANE_SHIFT: Final = 1


def slot_word(space: int, spaces: int) -> int:
    """The first word of a space's slot: a space's number is its slot plus a multiple of `spaces`.

    No number comes back when a slot is used again, so that an MMU left over from an earlier space
    can tell.
    """
    return SLOTS + space % spaces * SLOT_WORDS


def round_up(size: int) -> int:
    """The bytes of the pages that hold `size` bytes."""
    return (size + PAGE_MASK) & ~PAGE_MASK


def frame_of(entry: int) -> int:
    """The frame that an entry names; of one that is swapped, the slot."""
    return entry >> PAGE_SHIFT & FRAME_MASK
