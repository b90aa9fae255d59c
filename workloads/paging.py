"""A working set larger than memory: pages go to the swap disk and come back, by messages.

Four patterns of references, as in textbooks: once through, again and again, anywhere, and with
locality.
"""

import random
from collections.abc import Callable
from typing import Final

from servers.memory import MemoryManager, SwapDisk
from servers.memory.layout import PAGE_SIZE
from workloads.memory import space_of
from workloads.workload import Operation, Program, User, equals, workload

FRAMES: Final = 64
"""Page frames of the machine; page tables are apart."""

Pattern = Callable[[random.Random, int, int], list[int]]


def sequential(_lots: random.Random, pages: int, references: int) -> list[int]:
    """Each page once, in order, as far as the references go."""
    return [number * pages // references for number in range(references)]


def looping(_lots: random.Random, pages: int, references: int) -> list[int]:
    """All pages in order, again and again."""
    return [number % pages for number in range(references)]


def anywhere(lots: random.Random, pages: int, references: int) -> list[int]:
    """Any page."""
    return [lots.randrange(pages) for _ in range(references)]


def local(lots: random.Random, pages: int, references: int) -> list[int]:
    """Nine of ten among a tenth of the pages, which moves on after every 50 references."""
    few = max(1, pages // 10)
    found = []
    for number in range(references):
        if number % 50 == 0:
            start = lots.randrange(pages - few + 1)
        near = lots.random() < 0.9
        found.append(start + lots.randrange(few) if near else lots.randrange(pages))
    return found


PATTERNS: Final[dict[str, Pattern]] = {
    "once": sequential,
    "loop": looping,
    "random": anywhere,
    "local": local,
}


@workload(
    "paging",
    {f"paging-{name}": {"pattern": name} for name in PATTERNS},
    config={MemoryManager: {"pages": FRAMES}, SwapDisk: {"blocks": 4096}},
    quick={"references": 300},
    macro=True,
    extra=True,
)
def paging(
    memory: MemoryManager,
    user: User,
    pattern: str,
    pages: int = 96,
    references: int = 2000,
    seed: int = 1966,
) -> Program:
    """Load a number from a page, add one, store it; pattern of pages: {pattern}.

    Pages: {pages:,}, each stored to before; page frames: 64. References: {references:,}. Seed:
    {seed}. In the end each page holds how often it was referred to.
    """
    order = PATTERNS[pattern](random.Random(seed), pages, references)
    with space_of(memory, user) as space:
        start = space.mmap(pages * PAGE_SIZE)
        for page in range(pages):
            space.store_u64(start + page * PAGE_SIZE, 0)

        def refer() -> None:
            for page in order:
                address = start + page * PAGE_SIZE
                space.store_u64(address, space.load_u64(address) + 1)

        yield Operation(refer, ops=references)
        found = [space.load_u64(start + page * PAGE_SIZE) for page in range(pages)]
        equals([order.count(page) for page in range(pages)])(found)
