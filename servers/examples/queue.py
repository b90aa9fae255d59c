"""A message queue: topics, and groups of consumers that share the work.

After Redis streams and Kafka: a topic is a log that consumers read at their own pace. Each *group*
gets every message, and within a group one consumer does. A message that was delivered stays pending
until it is acknowledged; when its consumer leaves, another one gets it: at least once.
"""

import errno
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from twinos import Caller, Service, Signal, Waits, fail, op


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
    drained: Signal = field(default_factory=Signal)

    @property
    def end(self) -> int:
        """The offset of the next message."""
        return self.start + len(self.log)

    def trim(self) -> None:
        """Forget what every group has acknowledged; without a group everything is kept."""
        needed = min((group.oldest() for group in self.groups.values()), default=self.start)
        while self.start < needed:
            self.log.popleft()
            self.start += 1
            self.drained.notify()


class MessageQueue(Service):
    """Topics with groups of consumers. It holds its messages in memory: they end with its process.

    Args:
        capacity: messages that one topic holds; who publishes more has to wait.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        if capacity < 1:
            raise OSError(errno.EINVAL, "a topic holds one message at least")
        self._capacity = capacity
        self._topics: dict[str, _Topic] = {}

    @op
    def publish(self, topic: str, body: bytes, patience: float = 0.0) -> Waits[int]:
        """Add a message; its offset. EAGAIN: the topic was full for `patience` seconds."""
        log = self._topics.setdefault(topic, _Topic())
        deadline = time.monotonic() + patience
        while len(log.log) >= self._capacity:
            if not time.monotonic() < deadline:
                raise fail(errno.EAGAIN, topic)
            yield log.drained.until(deadline)
        log.log.append(body)
        log.arrived.notify()
        return log.end - 1

    @op
    def subscribe(self, topic: str, group: str, from_start: bool = True) -> None:
        """Make a group, which begins with the oldest message that there is, or with the next.

        A group that exists goes on where it is.
        """
        log = self._topics.setdefault(topic, _Topic())
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
        log.trim()

    @op
    def backlog(self, topic: str, group: str) -> Backlog:
        """How far a group is. ENOENT."""
        log, state = self._find(topic, group)
        return Backlog(log.end - state.position + len(state.returned), len(state.pending))

    def _find(self, topic: str, group: str) -> tuple[_Topic, _Group]:
        log = self._topics.get(topic)
        if log is None or group not in log.groups:
            raise fail(errno.ENOENT, f"{topic}:{group}")
        return log, log.groups[group]

    def _departed(self, caller: Caller) -> None:
        for topic in self._topics.values():
            for group in topic.groups.values():
                _take_back(group, caller.id)
            topic.arrived.notify()


def _take_back(group: _Group, consumer: int) -> None:
    """What a consumer has not acknowledged is for the others, in its order."""
    back = {
        offset: pending for offset, pending in group.pending.items() if pending.consumer == consumer
    }
    for offset, pending in back.items():
        del group.pending[offset]
        group.returned.append((offset, pending.deliveries))
    group.returned = deque(sorted(group.returned))
