"""Three personalities of Filebench: a file server, a mail server, a web server.

After the files fileserver.f, varmail.f and webserver.f of Filebench (Wilson 2008; Tarasov, Zadok,
Shepler 2016), by one thread. Sizes of files there are gamma-distributed; here too.
"""

import random
from collections.abc import Iterator
from functools import partial
from typing import Final

from servers.disk import Disk
from servers.filesystem import FileSystem
from workloads.steps import Contents, Files, Step, scripted
from workloads.workload import Program, workload

KIB: Final = 1024
APPENDED: Final = 16 * KIB
"""Bytes that are appended at once, to a file or to the log."""
READS: Final = 10
"""Files that a web server reads before it writes to its log."""
LOG: Final = "/web/log"

personality: Final = partial(
    workload,
    "macro",
    config={Disk: {"blocks": 96 * KIB}},
    quick={"files": 20, "loops": 20},
    macro=True,
    extra=True,
)


@personality()
def fileserver(fs: FileSystem, files: int = 100, loops: int = 100, seed: int = 2008) -> Program:
    """A file server: create a file, append to one, read one, delete one, stat one.

    Files: {files:,} of 128 KiB on average, made before. A loop creates a new file of such a size,
    appends 16 KiB to another, reads a third as a whole, deletes a fourth and stats a fifth. Loops:
    {loops:,}. Seed: {seed}. Then all contents are compared.
    """
    shop = Shop("/server", random.Random(seed), files, mean=128 * KIB)
    steps = [step for _ in range(loops) for step in _serve_files(shop)]
    yield from scripted(fs, shop.files, steps, ops=loops)


@personality()
def varmail(fs: FileSystem, files: int = 200, loops: int = 200, seed: int = 2008) -> Program:
    """A mail server: delete a mail, write one with fsync, read and append with fsync, read one.

    Mails: {files:,} of 16 KiB on average, made before, in one directory. Every append (16 KiB at
    most) is followed by fsync. Loops: {loops:,}. Seed: {seed}. Then all contents are compared.
    """
    shop = Shop("/mail", random.Random(seed), files, mean=16 * KIB)
    steps = [step for _ in range(loops) for step in _serve_mail(shop)]
    yield from scripted(fs, shop.files, steps, ops=loops)


@personality()
def webserver(fs: FileSystem, files: int = 200, loops: int = 100, seed: int = 2008) -> Program:
    """A web server: read ten files, append 16 KiB to the log.

    Files: {files:,} of 16 KiB on average, made before. A loop opens, reads as a whole and closes
    10 of them, and appends to one log. Loops: {loops:,}. Seed: {seed}. Then all contents are
    compared.
    """
    lots = random.Random(seed)
    shop = Shop("/web", lots, files, mean=16 * KIB)
    steps = []
    for _ in range(loops):
        steps += [Step("read", shop.any()) for _ in range(READS)]
        steps.append(Step("append", LOG, shop.contents.cut(APPENDED)))
    yield from scripted(fs, {**shop.files, LOG: b""}, steps, ops=loops)


class Shop:
    """A set of files that a server works on, and chance.

    Args:
        folder: where they are.
        lots: chance.
        count: how many there are.
        mean: their bytes, on average; at most eight times as many.
    """

    def __init__(self, folder: str, lots: random.Random, count: int, mean: int) -> None:
        self._folder = folder
        self._lots = lots
        self._mean = mean
        self._alive: list[str] = []
        self._made = 0
        self.contents = Contents(lots, 8 * mean)
        self.files: Files = {step.path: step.data for step in (self.create() for _ in range(count))}

    def any(self) -> str:
        """One of the files."""
        return self._lots.choice(self._alive)

    def create(self, sync: bool = False, most: int | None = None) -> Step:
        """The making of another file."""
        size = min(int(self._lots.gammavariate(1.5, self._mean / 1.5)), most or 8 * self._mean)
        path = f"{self._folder}/{self._made:05}"
        self._made += 1
        self._alive.append(path)
        return Step("create", path, self.contents.cut(size), sync)

    def append(self, path: str, sync: bool = False) -> Step:
        """An append of up to 16 KiB."""
        size = self._lots.randint(1, APPENDED) if sync else APPENDED
        return Step("append", path, self.contents.cut(size), sync)

    def delete(self) -> Step:
        """The end of one of the files."""
        return Step("delete", self._alive.pop(self._lots.randrange(len(self._alive))))


def _serve_files(shop: Shop) -> Iterator[Step]:
    yield shop.create()
    yield shop.append(shop.any())
    yield Step("read", shop.any())
    yield shop.delete()
    yield Step("stat", shop.any())


def _serve_mail(shop: Shop) -> Iterator[Step]:
    yield shop.delete()
    yield shop.create(sync=True, most=APPENDED)
    known = shop.any()
    yield Step("read", known)
    yield shop.append(known, sync=True)
    yield Step("read", shop.any())
