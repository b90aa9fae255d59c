"""Conversations: what clients have said to a service whose state survives, and what they were told.

A *conversation* is what one client says over one channel, and over those that replace it when the
server has died. A message in it is known by its number: pipes keep an order, so both ends can
count, and no number travels.
"""

from collections.abc import Iterable
from typing import Any, Final

from kernels.again import reply_to
from twinos import Op

KEPT: Final = 256
"""Conversations of one caller that are remembered; more than it can have channels."""

Told = list[tuple[int, int, int, list[bytes]]]
"""What is kept of conversations: channel, caller, number of a message, and the replies to it."""


class Conversation:
    """What one client says over one channel, and over its successors.

    Attributes:
        channel: its number, that of the first of these channels.
        caller: who speaks.
        number: how many messages it has been, those counted that are recorded.
        done: the last of them of which something is remembered.
        results: what is: operations and results, or None and replies.
        reopened: whether a part of a bundle is yet to come.
    """

    __slots__ = ("caller", "channel", "done", "number", "reopened", "results")

    def __init__(self, channel: int, caller: int) -> None:
        self.channel = channel
        self.caller = caller
        self.number = self.done = 0
        self.results: list[tuple[Op | None, Any]] = []
        self.reopened = False

    def replies(self) -> list[bytes]:
        """The replies that are remembered."""
        return [reply_to(*each) for each in self.results]

    def begin(self) -> None:
        """A bundle is coming."""
        self.number += 1
        if not self.reopened:
            self.results = []
        self.reopened = False

    def reopen(self) -> None:
        """The rest of a bundle is coming of which something is remembered."""
        self.number -= 1
        self.reopened = True


class Conversations:
    """All of them, by channel."""

    def __init__(self) -> None:
        self._all: dict[int, Conversation] = {}

    def begin(self, channel: int, caller: int) -> Conversation:
        """A new one."""
        made = self._all[channel] = Conversation(channel, caller)
        return made

    def end(self, conversation: Conversation) -> None:
        """It has come to its end: the client has all replies that it wants."""
        if self._all.get(conversation.channel) is conversation:
            del self._all[conversation.channel]

    def forget(self, caller: int) -> None:
        """Somebody has gone."""
        for each in [each for each in self._all.values() if each.caller == caller]:
            del self._all[each.channel]

    def clear(self) -> None:
        """Nothing is remembered."""
        self._all.clear()

    def go_on(self, conversation: Conversation, channel: int, number: int) -> list[bytes]:
        """A client goes on with an earlier conversation, whose last message had this number.

        Returns:
            The replies that are remembered to that message; of a bundle, to its beginning.

        Raises:
            IndexError: that was another's conversation.
        """
        before = self._all.get(channel)
        if before is not None and before.caller != conversation.caller:
            raise IndexError(channel)
        self.end(conversation)
        conversation.channel = channel
        conversation.number, conversation.results = number - 1, []
        if before is not None and before.done == number:
            conversation.number = conversation.done = number
            conversation.results = before.results
        self._all[channel] = conversation
        self._forget_oldest(conversation.caller)
        return conversation.replies()

    def remember(self, place: tuple[int, int, int, int], operation: Op | None, result: Any) -> None:
        """What an earlier life recorded; the place is index, channel, number and caller."""
        index, channel, number, caller = place
        each = self._all.get(channel) or self.begin(channel, caller)
        if not index:
            each.results = []
        each.number = each.done = number
        each.results.append((operation, result))

    def told(self) -> Told:
        """What is to be kept."""
        return [
            (each.channel, each.caller, each.done, each.replies())
            for each in self._all.values()
            if each.done
        ]

    def load(self, told: Iterable[tuple[int, int, int, list[bytes]]]) -> None:
        """What was kept."""
        for channel, caller, number, replies in told:
            each = self.begin(channel, caller)
            each.number = each.done = number
            each.results = [(None, reply) for reply in replies]

    def _forget_oldest(self, caller: int) -> None:
        his = [each.channel for each in self._all.values() if each.caller == caller]
        for channel in his[:-KEPT]:
            del self._all[channel]
