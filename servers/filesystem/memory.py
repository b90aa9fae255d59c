"""How much memory the file system uses, and when it has to write back before it goes on."""

from collections.abc import Hashable
from typing import Final

_ENDLESS: Final = 1 << 62


class Memory:
    """How many bytes are kept for files, roughly, and how many may be.

    What has changed is bounded too: a commit has to fit into the log. Who changes metadata *spends*
    the block that it is in, each once; when the budget is spent, the limit is 0 until a commit. A
    block is known by its number, or, while it has none, by the file's and its place there: of a
    directory's contents its number, of a block map the node's key. Who spends often looks first
    whether it is `spent`.

    The sizes are what things cost in Python: a page of content has 300 bytes of company.

    Attributes:
        used: bytes in use.
        bound: bytes above which the least recently used is let go.
        limit: the same, or 0 when a commit is due; one comparison before an operation sees both.
        spent: blocks of metadata that the next commit may have to write, bitmaps apart.
    """

    INODE: Final = 1200
    NAME: Final = 250
    PAGE: Final = 300
    BLOCK: Final = 1200
    NODE: Final = 1400

    __slots__ = ("_budget", "_room", "bound", "limit", "spent", "used")

    def __init__(self, bound: int) -> None:
        self.used = 0
        self.bound = self.limit = bound
        self._budget = self._room = _ENDLESS
        self.spent: Final[set[Hashable]] = set()

    def set_budget(self, blocks: int, room: int = _ENDLESS) -> None:
        """Have a commit be due whenever more than so many blocks may have changed.

        `room` is how many a commit can have at most, which leaves some for one more operation.
        """
        self._budget = blocks
        self._room = room

    def afford(self, block: Hashable) -> bool:
        """Spend a block in the commit that is being made; whether it has room for it."""
        spent = self.spent
        if block not in spent and len(spent) >= self._room:
            return False
        spent.add(block)
        return True

    def spend(self, block: Hashable) -> None:
        """This block of metadata may be in the next commit."""
        spent = self.spent
        if block not in spent:
            spent.add(block)
            if len(spent) > self._budget:
                self.limit = 0

    def press(self) -> None:
        """Have a commit come before the next operation."""
        self.limit = 0

    def committed(self) -> None:
        """Nothing that changed is left to be written."""
        self.limit = self.bound
        self.spent.clear()
