"""A journal of boots: what an interrupted comparison has already measured.

Every boot is written down as soon as it is done. A comparison draws the same boots from the same
seed, so taken up again it finds them, one after the other, and makes only those that are missing.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec

from lab.dispatch import dispatch
from lab.refusal import Refusal
from lab.station import Job, Measured

SCHEMA: Final = "twinos/journal/1"


class Header(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag=SCHEMA):
    """Whose boots these are.

    Attributes:
        arguments: of the command.
        seed: that it drew.
        host: where it ran.
        commit: of the checkout.
        services_sha256: of the services.
    """

    arguments: tuple[str, ...]
    seed: int
    host: str
    commit: str | None
    services_sha256: str


class Entry(msgspec.Struct, frozen=True):
    """One boot that was made."""

    job: Job
    measured: Measured


class Journal:
    """The boots of one comparison, made or found.

    Args:
        path: where they are written down.
        header: whose they are; written with the first.
        entries: those that were made before.
    """

    def __init__(self, path: Path, header: Header, entries: Iterable[Entry] = ()) -> None:
        self.path = path
        self.header = header
        self._before = list(entries)
        self._found = 0
        self._written = bool(self._before)
        self._keeps = True

    @classmethod
    def open(cls, path: Path) -> Self:
        """The journal of an interrupted comparison.

        Raises:
            Refusal: there is none, or it can't be read.
        """
        try:
            lines = path.read_bytes().splitlines(keepends=True)
        except OSError as error:
            raise Refusal(f"{path}: {error.strerror}.") from None
        whole = [line for line in lines if line.endswith(b"\n")]  # the last may be torn
        try:
            header = msgspec.json.decode(whole[0], type=Header)
            entries = [msgspec.json.decode(line, type=Entry) for line in whole[1:]]
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
            raise Refusal(
                f"{path} is no journal of an interrupted run, or it is damaged."
            ) from None
        os.truncate(path, sum(map(len, whole)))
        return cls(path, header, entries)

    @property
    def done(self) -> int:
        """How many boots it holds; 0 where it could not be written."""
        return max(self._found, len(self._before)) if self._keeps else 0

    def measure(self, job: Job) -> Measured:
        """Have a job done, unless it was.

        Raises:
            Refusal: another job was done in its place: this is not the comparison it was.
        """
        if self._found < len(self._before):
            entry = self._before[self._found]
            if entry.job != job:
                raise Refusal(f"{self.path} has other boots than this command makes.")
            measured = entry.measured
        else:
            measured = dispatch(job)
            try:
                self._append(Entry(job, measured))
            except OSError:  # no place for it: the run is made all the same
                self._keeps = False
        self._found += 1
        return measured

    def remove(self) -> None:
        """Forget it: the comparison is saved, or worth nothing."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _append(self, entry: Entry) -> None:
        if not self._keeps:
            return
        lines = [] if self._written else [self.header]
        data = b"".join(msgspec.json.encode(line) + b"\n" for line in (*lines, entry))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._written = True
