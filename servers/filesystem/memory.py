"""How much memory the file system uses, and when it has to write back before it goes on."""

from typing import Final

_ENDLESS: Final = 1 << 62


class Memory:
    """How many bytes are kept for files, roughly, and how many may be.

    What has changed is bounded too: a commit has to fit into the log. Who changes metadata *spends*
    blocks, rather too many than too few; when the budget is spent, the limit is 0 until a commit.

    The sizes are what things cost in Python: a page of content has 300 bytes of company.

    Attributes:
        used: bytes in use.
        bound: bytes above which the least recently used is let go.
        limit: the same, or 0 when a commit is due; one comparison before an operation sees both.
        budget: blocks of metadata that may still change before a commit is due.
    """

    INODE: Final = 1200
    NAME: Final = 250
    PAGE: Final = 300
    BLOCK: Final = 1200
    NODE: Final = 1400

    __slots__ = ("_blocks", "bound", "budget", "limit", "used")

    def __init__(self, bound: int) -> None:
        self.used = 0
        self.bound = self.limit = bound
        self._blocks = self.budget = _ENDLESS

    def set_budget(self, blocks: int) -> None:
        """Have a commit be due whenever so many blocks may have changed."""
        self._blocks = self.budget = blocks

    def spend(self, blocks: int = 1) -> None:
        """Some blocks of metadata will be in the next commit that were not, perhaps."""
        self.budget -= blocks
        if self.budget < 0:
            self.limit = 0

    def press(self) -> None:
        """Have a commit come before the next operation."""
        self.limit = 0

    def committed(self) -> None:
        """Nothing that changed is left to be written."""
        self.limit = self.bound
        self.budget = self._blocks
