"""What a history says, by a model of files that knows nothing of the system.

A step that was acknowledged has happened; one that failed, or was in flight at the end, may have
happened or not, or by half: a file that is written anew is empty for a moment.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from lab.faults.history import ABSENT, EMPTY, Done, Step


class Outcome(StrEnum):
    """What a fault came to, the mildest first."""

    UNNOTICED = "not noticed"
    RECOVERED = "recovered"
    ERROR = "error to a client"
    WRONG = "wrong data"
    HANG = "hang"
    DOWN = "system down"


@dataclass
class Model:
    """Which versions each file may have now, and which it has had since the last sync.

    Attributes:
        unsure: files that nothing was heard of since some step failed: a server may have died, and
            what was not synced then is lost, whatever a later sync says.
        lost: gets that found what was there since the last sync, and is no more so.
        corrupt: gets that found what can't be.
    """

    now: dict[str, set[int]]
    since_sync: dict[str, set[int]]
    unsure: set[str] = field(default_factory=set)
    lost: int = 0
    corrupt: int = 0
    errors: list[str] = field(default_factory=list)
    clients: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, files: Mapping[str, int]) -> "Model":
        """With these files, and no other ones."""
        now = defaultdict(lambda: {ABSENT}, {path: {version} for path, version in files.items()})
        since = defaultdict(lambda: {ABSENT}, {path: set(found) for path, found in now.items()})
        return cls(now, since)

    def follow(self, steps: Sequence[Step], history: Sequence[Done]) -> None:
        """Take in what was done; of what is in flight, what may have been."""
        for step, done in zip(steps, history, strict=False):
            if done.error:
                self.errors.append(done.error)
                self.clients.add(step.client)
            self._take(step, done)
        if len(history) < len(steps):
            self._may_have_happened(steps[len(history)])

    def _take(self, step: Step, done: Done) -> None:
        if done.error:
            self.unsure.update(self.now)
            self._may_have_happened(step)
        elif step.action == "put":
            self._becomes(step.path, step.version)
        elif step.action == "unlink":
            self._becomes(step.path, ABSENT)
        elif step.action == "sync":
            for path in self.now.keys() - self.unsure:
                self.since_sync[path] = set(self.now[path])
        elif step.action == "get":
            self._compare(step.path, done.found)

    def _becomes(self, path: str, version: int) -> None:
        self.since_sync[path] |= {version, EMPTY} if version else {ABSENT}
        self.now[path] = {version}
        self.unsure.discard(path)

    def _may_have_happened(self, step: Step) -> None:
        if step.action == "put":
            self._may_be(step.path, {step.version, EMPTY})
        elif step.action == "unlink":
            self._may_be(step.path, {ABSENT})

    def _may_be(self, path: str, versions: set[int]) -> None:
        self.since_sync[path] |= versions
        self.now[path] |= versions

    def _compare(self, path: str, found: int) -> None:
        if found not in self.now[path]:
            if found in self.since_sync[path]:
                self.lost += 1
            else:
                self.corrupt += 1
        self.now[path] = {found}
        self.since_sync[path].add(found)
        self.unsure.discard(path)
