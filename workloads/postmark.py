"""PostMark: the small files of a mail or web shop (Katcher, Network Appliance TR3022, 1997)."""

import random
from typing import Final

from servers.disk import Disk
from servers.filesystem import FileSystem
from workloads.steps import Contents, Files, Step, scripted
from workloads.workload import Program, workload

SMALLEST: Final = 500
LARGEST: Final = 10_000
"""Bytes of a file when it is made; PostMark's own defaults are 500 and 9,770."""


@workload(
    "macro",
    config={Disk: {"blocks": 64 * 1024}},
    quick={"files": 50, "transactions": 100},
    macro=True,
    extra=True,
)
def postmark(
    fs: FileSystem, files: int = 200, transactions: int = 500, seed: int = 1997
) -> Program:
    """PostMark: a pool of small files; each transaction reads or appends, and creates or deletes.

    Pool: {files:,} files of 500 to 10,000 B in one directory, made before. A transaction has two
    halves, each drawn with even chances: read a whole file, or append 1 to 4,096 B to one; create a
    file, or delete one. Transactions: {transactions:,}. Seed: {seed}. Then all contents are
    compared.
    """
    lots = random.Random(seed)
    pool, steps = script(lots, files, transactions)
    yield from scripted(fs, pool, steps, ops=transactions)


def script(lots: random.Random, files: int, transactions: int) -> tuple[Files, list[Step]]:
    """The pool and the steps."""
    contents = Contents(lots, LARGEST)
    sizes = (lots.randint(SMALLEST, LARGEST) for _ in range(files))
    pool = {f"/postmark/{number}": contents.cut(size) for number, size in enumerate(sizes)}
    alive, made, steps = list(pool), files, []
    for _ in range(transactions):
        path = lots.choice(alive)
        if lots.random() < 0.5:
            steps.append(Step("read", path))
        else:
            steps.append(Step("append", path, contents.cut(lots.randint(1, 4096))))
        if lots.random() < 0.5 or len(alive) == 1:
            path = f"/postmark/{made}"
            made += 1
            alive.append(path)
            size = lots.randint(SMALLEST, LARGEST)
            steps.append(Step("create", path, contents.cut(size)))
        else:
            steps.append(Step("delete", alive.pop(lots.randrange(len(alive)))))
    return pool, steps
