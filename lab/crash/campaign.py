"""The campaign: scripts are run and recorded, and every state that a crash may leave is judged."""

import errno
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from lab.crash.judge import (
    Raw,
    broken_promises,
    broken_promises_without_log,
    mounted,
    raw,
    recovered,
    zones,
)
from lab.crash.recorder import Done, Event, Recorder
from lab.crash.script import Script
from lab.crash.states import PREFIX, State, states
from lab.crash.tight import FULL, INODES, fill, fill_table
from lab.crash.tree import look
from servers.filesystem.layout import BLOCK_SIZE
from twinos import Caller

_STEPS: Final = 16
_LASTING: Final = frozenset(["fsync", "fdatasync", "sync"])
_SILENT: Final = frozenset(["open", "close", "fstat", *_LASTING])
_FULL: Final = 1
_FEW_INODES: Final = 2
_SPARE_BLOCKS: Final = 64
_SPARE_INODES: Final = 6
IN_RECOVERY: Final = "again, in recovery"
_AGAIN: Final = 32
"""One in so many recoveries that write something is crashed itself."""


class Settings(NamedTuple):
    """What a campaign is.

    Attributes:
        states: how many to look at, at least; a script that was begun is ended.
        seed: repeats a campaign.
        blocks: of the disk.
        log: of these, blocks of the log; 0 for none.
        share: of the states that are not prefixes, one in so many is looked at.
    """

    states: int
    seed: int
    blocks: int = 320
    log: int = 48
    share: int = 1


class Report(NamedTuple):
    """What came of it.

    Attributes:
        scripts: sequences of operations.
        operations: in all of them.
        refused: how many of these failed for want of room.
        kinds: how many states of which kind were looked at.
        distinct: how many different images these were.
        raw: what they were before recovery.
        examined: images that other tools were asked about.
        broken: promises that were not kept, a sentence each.
    """

    scripts: int
    operations: int
    refused: int
    kinds: Counter[str]
    distinct: int
    raw: Counter[Raw]
    examined: int
    broken: tuple[str, ...]


class _Run:
    """One script, recorded.

    Of three by chance one finds nearly no block free, and one nearly no inode.
    """

    def __init__(self, settings: Settings, number: int) -> None:
        self.rng = random.Random(f"{settings.seed}/{number}")
        disk = Recorder(bytes(settings.blocks * BLOCK_SIZE))
        kind = number % 3
        self._files: Any = mounted(disk, settings.log, INODES if kind == _FEW_INODES else None)
        self._disk = disk
        self._caller = Caller(1)
        self.refused = 0
        script = Script(self._call, self.rng, kept=(FULL,) if kind == _FULL else ())
        scene = script.scene(number)
        if scene is None:
            self._tighten(kind)
        disk.events.clear()
        self.image = disk.contents()
        self.history = [look(self._files)]
        self.names: list[str] = []
        steps = scene or (script.next() for _ in range(_STEPS))
        for step in steps:
            with suppress(OSError):
                step.act()
        self.events = disk.events

    def _tighten(self, kind: int) -> None:
        if kind == _FEW_INODES:
            fill_table(self._files, self.rng.randrange(_SPARE_INODES))
        elif kind == _FULL:
            fill(self._files, self.rng.randrange(_SPARE_BLOCKS))
        self._files.sync()

    def _call(self, name: str, *arguments: Any) -> Any:
        try:
            asked = arguments if name == "sync" else (self._caller, *arguments)
            return getattr(self._files, name)(*asked)
        except OSError as error:
            self.refused += error.errno == errno.ENOSPC
            raise
        finally:
            self.names.append(f"{name}({', '.join(map(_shown, arguments))})")
            self.history.append(look(self._files))
            self._disk.events.append(Done(len(self.names), name in _LASTING))


def recorded(settings: Settings, number: int) -> tuple[bytes, list[str], list[Event]]:
    """One script of a campaign: the disk before, the operations, and what happened."""
    run = _Run(settings, number)
    return run.image, run.names, run.events


class Campaign:
    """A campaign.

    Args:
        settings: what it is.
        examine: is given some recovered images, for another tool to look at; what that says is
            wrong counts as a broken promise.
    """

    def __init__(self, settings: Settings, examine: Callable[[bytes], str] = lambda _: "") -> None:
        self._settings = settings
        self._examine = examine
        self._kinds: Counter[str] = Counter()
        self._raw: Counter[Raw] = Counter()
        self._broken: list[str] = []
        self._distinct = 0
        self._operations = 0
        self._refused = 0
        self._examined = 0
        self._scripts = 0

    def run(self, progress: Callable[[int], object] = lambda _: None) -> Report:
        """Do it.

        Args:
            progress: is told how many states were looked at, after each script.
        """
        while self._kinds.total() < self._settings.states:
            run = _Run(self._settings, self._scripts)
            self._scripts += 1
            self._operations += len(run.names)
            self._refused += run.refused
            self._judge_all(run)
            progress(self._kinds.total())
        return Report(
            self._scripts,
            self._operations,
            self._refused,
            self._kinds,
            self._distinct,
            self._raw,
            self._examined,
            tuple(self._broken),
        )

    def _judge_all(self, run: _Run) -> None:
        seen: dict[tuple[bytes, int, int], Raw] = {}
        for state in self._some(states(run.image, run.events, run.rng), run.rng):
            self._kinds[state.kind] += 1
            key = (_digest(state.image), state.lasting, state.begun)
            if key not in seen:
                seen[key] = raw(state.image)
                self._distinct += 1
                for sentence in self._judge(run, state):
                    self._broken.append(self._blame(run, state, sentence))
            self._raw[seen[key]] += 1

    def _some(self, found: Iterator[State], rng: random.Random) -> Iterator[State]:
        """All prefixes, and the share of the others that is asked for."""
        for state in found:
            if state.kind == PREFIX or not rng.randrange(self._settings.share):
                yield state

    def _judge(self, run: _Run, state: State) -> Iterator[str]:
        if not self._settings.log:
            yield from broken_promises_without_log(state, state.image, run.history)
            return
        try:
            disk = recovered(state.image)
            yield from broken_promises(state, disk, run.history)
        except OSError as error:
            yield f"it can't be mounted and read: {error.strerror}"
            return
        if not run.rng.randrange(_AGAIN):
            yield from self._another_tool(disk)
            yield from self._crash_again(run, state, disk)

    def _another_tool(self, disk: Recorder) -> Iterator[str]:
        self._examined += 1
        said = self._examine(disk.contents())
        if said:
            yield said

    def _crash_again(self, run: _Run, state: State, disk: Recorder) -> Iterator[str]:
        """Have the power fail while the image is recovered: in the end it is all the same."""
        end = zones(state.image) * BLOCK_SIZE
        for again in self._some(states(state.image, list(disk.events), run.rng), run.rng):
            self._kinds[IN_RECOVERY] += 1
            if recovered(again.image).contents()[:end] != disk.contents()[:end]:
                yield "a crash in recovery made a difference"
                return

    def _blame(self, run: _Run, state: State, sentence: str) -> str:
        last = run.names[state.begun - 1] if state.begun <= len(run.names) else "the end"
        return (
            f"script {self._scripts - 1}, event {state.event} ({state.kind}), "
            f"at operation {state.begun} {last}: {sentence}"
        )


def _shown(argument: object) -> str:
    return f"{len(argument)} bytes" if isinstance(argument, bytes) else f"{argument!r:.40}"


def _digest(image: bytes) -> bytes:
    return hashlib.blake2b(image, digest_size=16).digest()
