"""A message queue: topics, and groups of consumers that share the work.

After Redis streams and Kafka: a topic is a log that consumers read at their own pace. Each *group*
gets every message, and within a group one consumer does. A message that was delivered stays pending
until it is acknowledged; when its consumer leaves, another one gets it: at least once. Its state
survives its process, by way of its requests (`twinos.journal`), not the system.
"""

import errno
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import msgspec

from twinos import NO_JOURNAL, Caller, Journal, Service, Signal, Waits, fail, op, replayed


class Message(NamedTuple):
    """A message as a consumer gets it.

    Attributes:
        offset: its place in the topic, from 0 on.
        body: what was published.
        deliveries: how often it has been delivered to this group, this time included.
    """

    offset: int
    body: bytes
    deliveries: int


class Backlog(NamedTuple):
    """How far a group is.

    Attributes:
        waiting: messages that no consumer has yet.
        pending: those that one has, and has not acknowledged.
    """

    waiting: int
    pending: int


@dataclass(slots=True)
class _Pending:
    """A message that `consumer` has."""

    consumer: int
    deliveries: int


@dataclass(slots=True)
class _Group:
    """Where a group is: what it has yet to see, what came back, and what is out."""

    position: int
    returned: deque[tuple[int, int]] = field(default_factory=deque)  # offset, deliveries so far
    pending: dict[int, _Pending] = field(default_factory=dict)

    def oldest(self) -> int:
        """The first message that this group still needs."""
        return min([self.position, *self.pending, *(offset for offset, _ in self.returned)])


@dataclass(slots=True)
class _Topic:
    """A log; what no group needs any more is cut off its start."""

    start: int = 0
    log: deque[bytes] = field(default_factory=deque)
    groups: dict[str, _Group] = field(default_factory=dict)
    arrived: Signal = field(default_factory=Signal)

    @property
    def end(self) -> int:
        """The offset of the next message."""
        return self.start + len(self.log)

    def trim(self) -> int:
        """Forget what every group has acknowledged; without a group everything is kept.

        How much room that made.
        """
        needed = min((group.oldest() for group in self.groups.values()), default=self.start)
        room = 0
        while self.start < needed:
            room += _room(self.log.popleft())
            self.start += 1
        return room


class _KeptGroup(NamedTuple):
    """A group as it is saved; of a pending message its offset, consumer and deliveries."""

    position: int
    returned: list[tuple[int, int]]
    pending: list[tuple[int, int, int]]


class _KeptTopic(NamedTuple):
    """A topic as it is saved."""

    start: int
    log: list[bytes]
    groups: dict[str, _KeptGroup]


class MessageQueue(Service):
    """Topics with groups of consumers. It holds its messages in memory: they end with the system.

    Args:
        capacity: messages that one topic holds; who publishes more has to wait.
        memory: bytes, roughly, that the messages of all topics take; the same.
        topics: how many there may be, and how many groups of each.
        journal: of requests.
    """

    def __init__(
        self,
        capacity: int = 10_000,
        memory: int = 16 << 20,
        topics: int = 256,
        journal: Annotated[Journal, replayed] = NO_JOURNAL,
    ) -> None:
        del journal  # it is enough to have one
        if capacity < 1:
            raise OSError(errno.EINVAL, "a topic holds one message at least")
        self._capacity = capacity
        self._memory, self._used = memory, 0
        self._most_topics = topics
        self._topics: dict[str, _Topic] = {}
        self._drained = Signal()

    @op
    def publish(self, topic: str, body: bytes, patience: float = 0.0) -> Waits[int]:
        """Add a message; its offset. ENOSPC: there are too many topics.

        EAGAIN: the topic, or memory, was full for `patience` seconds.
        """
        log = self._topic(topic)
        deadline = time.monotonic() + patience
        while len(log.log) >= self._capacity or self._used + _room(body) > self._memory:
            if not time.monotonic() < deadline:
                raise fail(errno.EAGAIN, topic)
            yield self._drained.until(deadline)
        self._used += _room(body)
        log.log.append(body)
        log.arrived.notify()
        return log.end - 1

    @op
    def subscribe(self, topic: str, group: str, from_start: bool = True) -> None:
        """Make a group, which begins with the oldest message that there is, or with the next.

        A group that exists goes on where it is. ENOSPC: there are too many topics, or groups.
        """
        log = self._topic(topic)
        if group not in log.groups and len(log.groups) >= self._most_topics:
            raise fail(errno.ENOSPC, f"{topic}:{group}")
        log.groups.setdefault(group, _Group(log.start if from_start else log.end))

    @op
    def receive(
        self, caller: Caller, topic: str, group: str, patience: float = 0.0
    ) -> Waits[Message]:
        """The next message for this group: one that came back, or else the oldest not delivered.

        ENOENT: there is no such group; EAGAIN: nothing came for `patience` seconds.
        """
        log, state = self._find(topic, group)
        deadline = time.monotonic() + patience
        while not state.returned and state.position == log.end:
            if not time.monotonic() < deadline:
                raise fail(errno.EAGAIN, topic)
            yield log.arrived.until(deadline)
        if state.returned:
            offset, deliveries = state.returned.popleft()
        else:
            offset, deliveries = state.position, 0
            state.position += 1
        state.pending[offset] = _Pending(caller.id, deliveries + 1)
        return Message(offset, log.log[offset - log.start], deliveries + 1)

    @op
    def acknowledge(self, caller: Caller, topic: str, group: str, offset: int) -> None:
        """Say that a message is done with. ENOENT; EPERM: it is not the caller's to acknowledge."""
        log, state = self._find(topic, group)
        pending = state.pending.get(offset)
        if pending is None or pending.consumer != caller.id:
            raise fail(errno.EPERM, topic)
        del state.pending[offset]
        room = log.trim()
        if room:
            self._used -= room
            self._drained.notify()

    @op
    def backlog(self, topic: str, group: str) -> Backlog:
        """How far a group is. ENOENT."""
        log, state = self._find(topic, group)
        return Backlog(log.end - state.position + len(state.returned), len(state.pending))

    def _topic(self, name: str) -> _Topic:
        if name not in self._topics and len(self._topics) >= self._most_topics:
            raise fail(errno.ENOSPC, name)
        return self._topics.setdefault(name, _Topic())

    def _find(self, topic: str, group: str) -> tuple[_Topic, _Group]:
        log = self._topics.get(topic)
        if log is None or group not in log.groups:
            raise fail(errno.ENOENT, f"{topic}:{group}")
        return log, log.groups[group]

    def _saved(self) -> bytes:
        kept = {name: _kept(topic) for name, topic in self._topics.items()}
        return msgspec.msgpack.encode(kept)

    def _restored(self, saved: bytes) -> None:
        kept = msgspec.msgpack.decode(saved, type=dict[str, _KeptTopic])
        self._topics = {name: _restored(topic) for name, topic in kept.items()}
        self._used = sum(_room(body) for topic in self._topics.values() for body in topic.log)

    def _departed(self, caller: Caller) -> None:
        for topic in self._topics.values():
            for group in topic.groups.values():
                _take_back(group, caller.id)
            topic.arrived.notify()


def _kept(topic: _Topic) -> _KeptTopic:
    groups = {
        name: _KeptGroup(
            group.position,
            list(group.returned),
            [(offset, one.consumer, one.deliveries) for offset, one in group.pending.items()],
        )
        for name, group in topic.groups.items()
    }
    return _KeptTopic(topic.start, list(topic.log), groups)


def _restored(kept: _KeptTopic) -> _Topic:
    groups = {
        name: _Group(
            group.position,
            deque(group.returned),
            {offset: _Pending(*known) for offset, *known in group.pending},
        )
        for name, group in kept.groups.items()
    }
    return _Topic(kept.start, deque(kept.log), groups)


def _room(body: bytes) -> int:
    """Bytes that a message takes."""
    return len(body) + 64


def _take_back(group: _Group, consumer: int) -> None:
    """What a consumer has not acknowledged is for the others, in its order."""
    back = {
        offset: pending for offset, pending in group.pending.items() if pending.consumer == consumer
    }
    for offset, pending in back.items():
        del group.pending[offset]
        group.returned.append((offset, pending.deliveries))
    group.returned = deque(sorted(group.returned))
