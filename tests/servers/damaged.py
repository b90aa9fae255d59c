"""The campaign of damaged images: an error, and never a wrong answer about another file.

    python -m tests.servers.damaged --images 10000 --seed 1

A sound image is damaged: bytes changed, pointers bent, blocks copied, loops laid, the end cut off.
What of it belongs to which file is known; so after each damage some files are *touched*, and all
others must answer as before or say EUCLEAN or EIO: at once, after touched files were written, cut
and removed, after the disk was filled, and when it is mounted again.
"""

import argparse
import errno
import os
import random
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from servers.disk import Geometry
from servers.filesystem import FileSystem
from servers.filesystem.check.inodes import Record, pointers
from servers.filesystem.layout import BLOCK_SIZE, ENTRY, INODE, POINTERS, Superblock
from twinos import Caller

BLOCKS: Final = 700
INODES: Final = 96
WHO: Final = Caller(1)
DAMAGE: Final = frozenset([errno.EUCLEAN, errno.EIO])
UNIT: Final = 64
"""Bytes of an inode, and of an entry of a directory."""


class Platter:
    """A disk in plain memory. Nothing that it has not may be asked of it."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def geometry(self) -> Geometry:
        return Geometry(BLOCK_SIZE, len(self.data) // BLOCK_SIZE)

    def read(self, block: int, count: int = 1) -> bytes:
        assert block >= 0
        assert (block + count) * BLOCK_SIZE <= len(self.data)
        return bytes(self.data[block * BLOCK_SIZE : (block + count) * BLOCK_SIZE])

    def readv(self, extents: Any) -> bytes:
        return b"".join([self.read(block, count) for block, count in extents])

    def write(self, block: int, data: bytes) -> None:
        self.read(block, len(data) // BLOCK_SIZE)
        self.data[block * BLOCK_SIZE : block * BLOCK_SIZE + len(data)] = data

    def writev(self, extents: Any, data: bytes) -> None:
        for block, count in extents:
            self.write(block, data[: count * BLOCK_SIZE])
            data = data[count * BLOCK_SIZE :]
        assert data == b""

    def flush(self) -> None:
        pass

    def writable(self) -> bool:
        return True

    def blank(self) -> bool:
        return not any(self.data)


def mount(platter: Platter) -> Any:
    """A file system on it; its operations take the caller first."""
    return FileSystem(platter)  # type: ignore[arg-type]  # as good as a disk


class Fact(NamedTuple):
    """What is known of a file in the sound image.

    Attributes:
        answer: what its path must answer.
        inode: its number.
        way: the inodes of the directories on the way.
        slots: the entries on the way, its own last: directory and slot.
    """

    answer: Any
    inode: int
    way: tuple[int, ...]
    slots: tuple[tuple[int, int], ...]


class Sound:
    """A sound image with something of everything, and what is known of it."""

    def __init__(self, seed: int = 5) -> None:
        platter = Platter(bytes(BLOCKS * BLOCK_SIZE))
        files: Any = FileSystem(platter, inodes=INODES)  # type: ignore[arg-type]  # as good as a disk
        self._fill(files, random.Random(seed))
        files._stopping()
        self.image = bytes(platter.data)
        self.superblock = Superblock.unpack(self.image[BLOCK_SIZE:])
        self.facts: dict[str, Fact] = {}
        self._learn(mount(platter), "/", (1,), ())
        self.owners = dict(self._owners())

    def _fill(self, files: Any, rng: random.Random) -> None:
        directories = ("/", "/a", "/a/b", "/a/b/c", "/d")
        for path in directories[1:]:
            files.mkdir(WHO, path)
        for number in range(34):
            path = f"{rng.choice(directories)}/f{number}"
            descriptor = files.open(WHO, path, os.O_CREAT | os.O_RDWR)
            files.write(WHO, descriptor, rng.randbytes(rng.choice([0, 10, 1000, 9000, 20_000])))
            if number % 8 == 0:
                place = rng.choice([270, 400, 70_000]) * 1024
                files.pwrite(WHO, descriptor, rng.randbytes(3000), place)
            if number % 5 == 0:
                files.link(WHO, path, f"{rng.choice(directories)}/h{number}")
            files.close(WHO, descriptor)
        files.mkdir(WHO, "/big")
        for number in range(20):
            files.link(WHO, "/d/x", f"/big/{number}") if number else files.mknod(WHO, "/d/x")
        files.symlink(WHO, "a/b", "/l")
        files.symlink(WHO, "/d", "/a/l")
        files.mkfifo(WHO, "/fifo")
        files.mknod(WHO, "/device", stat.S_IFCHR | 0o644, 0x102)

    def _learn(
        self, files: Any, top: str, way: tuple[int, ...], slots: tuple[tuple[int, int], ...]
    ) -> None:
        for entry in files.scandir(WHO, top):
            path = f"{top.rstrip('/')}/{entry.name}"
            own = (*slots, (way[-1], entry.d_off - 1))
            self.facts[path] = Fact(answer(files, path), entry.d_ino, way, own)
            if entry.is_dir():
                self._learn(files, path, (*way, entry.d_ino), own)

    def _owners(self) -> Iterator[tuple[int, tuple[int, int]]]:
        """Of each zone that a file has: the inode, and of a directory's content the block."""
        table = self.image[self.superblock.table_start * BLOCK_SIZE :]
        for number in {1, *(fact.inode for fact in self.facts.values())}:
            record = Record.unpack(table, number)
            if record.kind in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
                for pointer in pointers(record.zones, self.block, lambda pointer: pointer.zone):
                    listed = record.kind == stat.S_IFDIR and not pointer.level
                    yield pointer.zone, (number, pointer.at if listed else -1)

    def block(self, number: int) -> bytes:
        return self.image[number * BLOCK_SIZE : (number + 1) * BLOCK_SIZE]

    def touched(self, damaged: bytes) -> tuple[set[int], set[tuple[int, int]]]:
        """The inodes and the directories' entries whose bytes are others now."""
        inodes: set[int] = set()
        slots: set[tuple[int, int]] = set()
        table = self.superblock.table_start * BLOCK_SIZE
        data = self.superblock.first_data_zone * BLOCK_SIZE
        for at in range(table, len(self.image), UNIT):
            if self.image[at : at + UNIT] == damaged[at : at + UNIT]:
                continue
            if at < data:
                inodes.add((at - table) // INODE.size + 1)
            elif at // BLOCK_SIZE in self.owners:
                owner, index = self.owners[at // BLOCK_SIZE]
                if index < 0:
                    inodes.add(owner)
                else:
                    slots.add((owner, (index * BLOCK_SIZE + at % BLOCK_SIZE) // ENTRY.size))
        return inodes, slots

    def innocent(self, damaged: bytes) -> set[str]:
        """The paths that nothing has been done to."""
        inodes, slots = self.touched(damaged)
        return {
            path
            for path, fact in self.facts.items()
            if inodes.isdisjoint({fact.inode, *fact.way}) and slots.isdisjoint(fact.slots)
        }


def answer(files: Any, path: str) -> Any:
    """All that a path answers, access times and what depends on other files apart."""
    found = files.lstat(WHO, path)
    known = [found.st_mode, found.st_ino, found.st_uid]
    if stat.S_ISDIR(found.st_mode):
        return known
    known += [found.st_mtime, found.st_rdev, found.st_size, found.st_blocks, found.st_nlink]
    if stat.S_ISLNK(found.st_mode):
        known.append(files.readlink(WHO, path))
    elif stat.S_ISREG(found.st_mode):
        known.append(_content(files, path, found.st_size))
    return known


def _content(files: Any, path: str, size: int) -> Any:
    """The bytes; of a file with a large hole the first and the last."""
    descriptor = files.open(WHO, path, os.O_RDONLY)
    try:
        last = max(size - 8192, 32_768)
        return files.read(WHO, descriptor, 32_768), files.pread(WHO, descriptor, 8192, last)
    finally:
        files.close(WHO, descriptor)


# Damage.


def _anywhere(sound: Sound, rng: random.Random) -> int:
    return rng.randrange(len(sound.image))


def _metadata(sound: Sound, rng: random.Random) -> int:
    """A place in the tables, a directory or an indirect block; the superblock now and then."""
    data = sound.superblock.first_data_zone
    if rng.random() < 0.55:
        return rng.randrange(sound.superblock.table_start, data) * BLOCK_SIZE + rng.randrange(1024)
    if rng.random() < 0.2:
        return rng.choice([1024 + rng.randrange(31), rng.randrange(2048, data * BLOCK_SIZE)])
    listed = [zone for zone, (_, index) in sound.owners.items() if index >= 0]
    indirect = [zone for number in _regular(sound) for zone in _indirect(sound, number)]
    return rng.choice(listed + indirect) * BLOCK_SIZE + rng.randrange(BLOCK_SIZE)


def _regular(sound: Sound) -> list[int]:
    return sorted({fact.inode for fact in sound.facts.values()})


def _indirect(sound: Sound, number: int) -> list[int]:
    record = Record.unpack(sound.image[sound.superblock.table_start * BLOCK_SIZE :], number)
    if record.kind != stat.S_IFREG:
        return []
    below = pointers(record.zones, sound.block, lambda pointer: pointer.zone)
    return [pointer.zone for pointer in below if pointer.level]


def _flip(sound: Sound, image: bytearray, rng: random.Random) -> None:
    place = rng.choice([_anywhere, _metadata, _metadata])(sound, rng)
    image[place] ^= 1 << rng.randrange(8)


def _byte(sound: Sound, image: bytearray, rng: random.Random) -> None:
    image[rng.choice([_anywhere, _metadata, _metadata])(sound, rng)] = rng.randrange(256)


def _number(sound: Sound, image: bytearray, rng: random.Random) -> None:
    """A number of 32 bits becomes another that there is: of a zone, of an inode, of neither."""
    place = _metadata(sound, rng) & -4
    zone = rng.randrange(BLOCKS + 20)
    number = rng.choice([zone, zone, rng.choice(list(sound.owners)), rng.randrange(INODES), 0])
    image[place : place + 4] = number.to_bytes(4, "little")


def _pointer(sound: Sound, image: bytearray, rng: random.Random) -> None:
    """A file's pointer leads into another file."""
    start = sound.superblock.table_start * BLOCK_SIZE
    slot = 24 + 4 * rng.choice([0, 0, 1, 2, 3, 7, 8, 9])
    place = start + (rng.choice(_regular(sound)) - 1) * INODE.size + slot
    image[place : place + 4] = rng.choice(list(sound.owners)).to_bytes(4, "little")


def _copy(sound: Sound, image: bytearray, rng: random.Random) -> None:
    size = rng.choice([4, 64, BLOCK_SIZE])
    source, target = (_metadata(sound, rng) & -size for _ in range(2))
    image[target : target + size] = sound.image[source : source + size]


def _erase(sound: Sound, image: bytearray, rng: random.Random) -> None:
    size = rng.choice([4, 64, 512, BLOCK_SIZE])
    place = _metadata(sound, rng) & -size
    image[place : place + size] = rng.choice([b"\0", b"\xff"]) * size


def _loop(sound: Sound, image: bytearray, rng: random.Random) -> None:
    """An indirect block that leads to itself, or to others like it; or directories in a circle."""
    holders = [number for number in _regular(sound) if _indirect(sound, number)]
    if rng.random() < 0.6:
        zones = _indirect(sound, rng.choice(holders))
        zone = rng.choice(zones)
        image[zone * BLOCK_SIZE : (zone + 1) * BLOCK_SIZE] = POINTERS.pack(
            *rng.choices([zone, *zones], k=256)
        )
        return
    directories = [fact for fact in sound.facts.values() if stat.S_ISDIR(fact.answer[0])]
    below, above = rng.choice(directories), rng.choice([*directories, None])
    number = 1 if above is None else above.inode
    owner, slot = below.slots[-1]
    zones = {index: zone for zone, (inode, index) in sound.owners.items() if inode == owner}
    place = zones[slot // 16] * BLOCK_SIZE + slot % 16 * ENTRY.size
    image[place : place + 4] = number.to_bytes(4, "little")


def _cut(sound: Sound, image: bytearray, rng: random.Random) -> None:
    del image[_anywhere(sound, rng) // BLOCK_SIZE * BLOCK_SIZE :]


KINDS: Final[dict[str, Callable[[Sound, bytearray, random.Random], None]]] = {
    "bit": _flip,
    "byte": _byte,
    "number": _number,
    "pointer": _pointer,
    "copy": _copy,
    "erasure": _erase,
    "loop": _loop,
    "cut": _cut,
}
WEIGHTS: Final = (30, 30, 15, 10, 5, 5, 8, 2)


def damage(sound: Sound, rng: random.Random) -> tuple[str, bytes]:
    """A damaged copy; now and then something else is wrong with it as well."""
    image = bytearray(sound.image)
    kinds = rng.choices(list(KINDS), WEIGHTS, k=rng.choice([1, 1, 1, 1, 2, 3]))
    for kind in sorted(kinds, key="cut".__eq__):  # what was cut off can't be damaged
        KINDS[kind](sound, image, rng)
    return "+".join(kinds), bytes(image)


# A trial.


class WrongAnswerError(AssertionError):
    """A file that nothing was done to answered something else."""


def attempt(operation: Callable[..., Any], *arguments: Any) -> Any:
    """Do it; only a result, or an OSError with an errno, may come of it."""
    try:
        return operation(*arguments)
    except OSError as error:
        if error.errno is None:
            raise
        return None


def check_innocents(sound: Sound, files: Any, paths: set[str], when: str) -> int:
    """Whether each of these answers as it should, or says that the disk is damaged; how many do."""
    refused = 0
    for path in sorted(paths):
        try:
            found = answer(files, path)
        except OSError as error:
            if error.errno not in DAMAGE:
                code = errno.errorcode[error.errno or 0]
                raise WrongAnswerError(f"{when}, {path} answers {code}") from error
            refused += 1
            continue
        if found != sound.facts[path].answer:
            raise WrongAnswerError(f"{when}, {path} answers {found[:8]}")
    return refused


def sacrifice(sound: Sound, innocent: set[str], rng: random.Random) -> set[str]:
    """Take some paths, all that lie below, and other names of the same files, out of `innocent`."""
    chosen = {path for path in sorted(innocent) if rng.random() < 0.1}
    gone = {sound.facts[path].inode for path in chosen}
    below = {path for path in innocent if gone.intersection(sound.facts[path].way)}
    gone |= {sound.facts[path].inode for path in below}
    lost = below | {path for path in innocent if sound.facts[path].inode in gone}
    innocent -= lost
    return lost


def look_around(files: Any, top: str, found: list[str], depth: int = 0) -> None:
    """See everything that can be found."""
    for name in attempt(files.listdir, WHO, top) or ():
        path = f"{top.rstrip('/')}/{name}"
        found.append(path)
        if len(found) > 300:
            return
        status = attempt(files.lstat, WHO, path)
        if status is not None and stat.S_ISDIR(status.st_mode) and depth < 8:
            attempt(files.scandir, WHO, path)
            look_around(files, path, found, depth + 1)


def use(files: Any, path: str, rng: random.Random) -> None:
    """Do something to a file that may be changed."""
    other = f"/n{rng.randrange(1000)}"
    choice = rng.randrange(8)
    if choice <= 1:
        descriptor = attempt(files.open, WHO, path, os.O_RDWR)
        if descriptor is not None:
            attempt(files.unlink, WHO, path) if choice else None
            place = rng.choice([0, 3000, 7000, 270_000, 68_000_000])
            attempt(files.pwrite, WHO, descriptor, b"q" * rng.choice([1, 3000, 20_000]), place)
            for whence in (os.SEEK_DATA, os.SEEK_HOLE):
                attempt(files.lseek, WHO, descriptor, 0, whence)
            attempt(files.close, WHO, descriptor)
        return
    operation, *arguments = (
        (files.truncate, path, rng.choice([0, 1, 5000, 300_000, 0x7FFF_FFFF])),
        (files.unlink, path),
        (files.rmdir, path),
        (files.rename, path, other),
        (files.link, path, other),
        (files.chdir, path),
    )[choice - 2]
    attempt(operation, WHO, *arguments)
    attempt(files.getcwd, WHO)
    attempt(files.chdir, WHO, "/")


def fill(files: Any) -> None:
    """Take all inodes and zones that there are."""
    for number in range(INODES):
        path = f"/new{number}"
        descriptor = attempt(files.open, WHO, path, os.O_CREAT | os.O_WRONLY)
        if descriptor is None:
            break
        attempt(files.write, WHO, descriptor, b"w" * 30_000)
        attempt(files.close, WHO, descriptor)


class Outcome(NamedTuple):
    """What came of one trial: refused altogether, or so many innocent paths, so many refused."""

    mounted: bool
    innocent: int = 0
    refused: int = 0


def trial(sound: Sound, image: bytes, rng: random.Random) -> Outcome:
    """Live with one damaged image. Raises WrongAnswerError, or whatever the service does wrong."""
    platter = Platter(image)
    try:
        files = mount(platter)
    except OSError as error:
        if error.errno not in {errno.EINVAL, *DAMAGE}:
            raise
        return Outcome(mounted=False)
    innocent = sound.innocent(image)
    refused = check_innocents(sound, files, innocent, "at first")
    count = len(innocent)
    also_known = {sound.facts[path].inode for path in sound.facts.keys() - innocent}
    innocent = {path for path in innocent if sound.facts[path].inode not in also_known}
    lost = sacrifice(sound, innocent, rng)
    found: list[str] = []
    look_around(files, "/", found)
    mine = sorted((set(found) | lost) - innocent)
    mine = [path for path in mine if not any(good.startswith(path + "/") for good in innocent)]
    for _ in range(12):
        if mine:
            use(files, rng.choice(mine), rng)
    fill(files)
    check_innocents(sound, files, innocent, "after changes to others")
    attempt(files._stopping)
    files = mount(platter)
    check_innocents(sound, files, innocent, "when mounted again")
    return Outcome(True, count, refused)


def campaign(images: int, seed: int, sound: Sound) -> Iterator[tuple[str, Outcome, float]]:
    """So many trials: the kind of damage, what came of it, and the seconds it took."""
    for number in range(images):
        rng = random.Random(f"{seed}/{number}")
        kind, image = damage(sound, rng)
        start = time.perf_counter()
        try:
            outcome = trial(sound, image, rng)
        except BaseException as error:
            error.add_note(f"seed {seed}, image {number}, damage {kind}")
            raise
        yield kind, outcome, time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description="Damaged images, one after the other.")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    longest = 0.0
    for _, outcome, seconds in campaign(arguments.images, arguments.seed, Sound()):
        counts["images"] += 1
        counts["not mounted"] += not outcome.mounted
        counts["innocent paths"] += outcome.innocent
        counts["of them refused"] += outcome.refused
        longest = max(longest, seconds)
    for what, count in counts.items():
        print(f"{what:16}{count:>12,}")  # noqa: T201 (it is for people)
    print(f"the longest took {longest:.2f} s; no wrong answer")  # noqa: T201 (the same)
    return 0


if __name__ == "__main__":
    sys.exit(main())
