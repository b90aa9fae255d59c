"""What may be on the medium when the power fails.

What was flushed is there. Of the rest any subset may be, in any order: as a later write to a block
covers an earlier one, the subset and the last write of each block in it say everything. One write
may be torn: only one of its two sectors is new.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from lab.crash.recorder import Done, Event, Flush, Write
from servers.filesystem.layout import BLOCK_SIZE, SECTOR

PREFIX: Final = "between two writes"
SUBSET: Final = "some writes lost"
TORN: Final = "one write torn"
ALL_SUBSETS: Final = 8
"""Writes between two flushes up to which every subset of them is a state of its own."""
RANDOM_SUBSETS: Final = 50


class State(NamedTuple):
    """One thing that may be found after a loss of power.

    Attributes:
        kind: `PREFIX`, `SUBSET` or `TORN`.
        image: the medium.
        lasting: operations that were promised to outlive it.
        begun: operations that had begun, so that they may be there.
        event: how many events had happened.
    """

    kind: str
    image: bytes
    lasting: int
    begun: int
    event: int


class _Moment:
    """Where a recording has come to."""

    def __init__(self, image: bytes) -> None:
        self.flushed = bytearray(image)
        self.writes: list[Write] = []
        self.lasting = 0
        self.begun = 1
        self.event = 0

    def pass_over(self, event: Event) -> None:
        self.event += 1
        if isinstance(event, Write):
            self.writes.append(event)
        elif isinstance(event, Done):
            self.begun = event.number + 1
            if event.lasting:
                self.lasting = event.number
        else:
            for write in self.writes:
                _apply(self.flushed, write)
            self.writes.clear()

    def state(self, kind: str, writes: Sequence[Write], torn: Write | None = None) -> State:
        image = bytearray(self.flushed)
        for write in writes:
            _apply(image, write)
        if torn is not None:
            _apply(image, torn)
        return State(kind, bytes(image), self.lasting, self.begun, self.event)

    def tear(self, write: Write, writes: Sequence[Write], half: int) -> State:
        """`writes`, and one sector of `write`."""
        place = slice(half * SECTOR, (half + 1) * SECTOR)
        image = bytearray(self.flushed)
        for other in writes:
            _apply(image, other)
        start = write.block * BLOCK_SIZE
        mixed = image[start : start + BLOCK_SIZE]
        mixed[place] = write.data[place]
        return self.state(TORN, writes, Write(write.block, bytes(mixed)))


def _apply(image: bytearray, write: Write) -> None:
    image[write.block * BLOCK_SIZE : (write.block + 1) * BLOCK_SIZE] = write.data


def states(image: bytes, events: Sequence[Event], rng: random.Random) -> Iterator[State]:
    """Every state that is looked at for a recording that began with `image`.

    All prefixes of the writes, each with its next write torn; and before each flush the subsets of
    what it waits for: all of them when there are few, else each single loss, each single survivor
    and some by chance.
    """
    moment = _Moment(image)
    yield moment.state(PREFIX, ())
    for event in events:
        if isinstance(event, Write):
            for half in (0, 1):
                yield moment.tear(event, moment.writes, half)
        elif isinstance(event, Flush):
            yield from _subsets(moment, rng)
        moment.pass_over(event)
        yield moment.state(PREFIX, moment.writes)
    yield from _subsets(moment, rng)


def _subsets(moment: _Moment, rng: random.Random) -> Iterator[State]:
    writes = moment.writes
    count = len(writes)
    chosen: Iterator[Sequence[Write]]
    if count <= ALL_SUBSETS:
        chosen = (part for size in range(count) for part in combinations(writes, size))
    else:
        chosen = _some(writes, rng)
    for part in chosen:
        yield moment.state(SUBSET, part)
        if part and count > 1:
            torn = rng.choice(part)
            yield moment.tear(
                torn, [write for write in part if write is not torn], rng.randrange(2)
            )


def _some(writes: Sequence[Write], rng: random.Random) -> Iterator[Sequence[Write]]:
    for write in writes:
        yield [other for other in writes if other is not write]
        yield [write]
    for _ in range(RANDOM_SUBSETS):
        share = rng.random()
        yield [write for write in writes if rng.random() < share]
