"""What is common is recorded without a call of its own: `StableStore.append`, written out."""

from collections.abc import Callable
from typing import Any

from kernels.again import reply_to
from kernels.bulk import Frame
from kernels.conversations import Conversation
from kernels.remote import DONE
from kernels.stablestore import (
    CHANGE,
    CHECKED,
    HEAD,
    MOST,
    PADS,
    REQUEST,
    SOFT,
    WORD,
    StableStore,
    checksum,
)
from twinos import Op

Record = Callable[[Frame, Any], None]
"""Records a request, and its result."""


def quick(
    store: StableStore,
    introduced: set[int],
    now: list[float],
    conversation: Conversation,
    operation: Op,
    who: int,
    otherwise: Record,
) -> Record:
    """What records requests of one operation, in one conversation.

    Args:
        store: where.
        introduced: callers of whom the store knows who they are.
        now: the time that the service was told last.
        conversation: which.
        operation: which.
        who: the caller.
        otherwise: what is asked to record a request that is large, or when the store is crowded.
    """
    memory, words, head, pads = store.memory, store.words, HEAD.pack, PADS
    checked_by, largest, kind = checksum, CHECKED, REQUEST

    def record(request: Frame, result: Any) -> None:
        size = len(request)
        at = store.tail
        if at > SOFT or store.count >= MOST or type(request) is not bytes or who not in introduced:
            otherwise(request, result)
            return
        conversation.results = [(operation, result)]
        conversation.done = number = conversation.number
        first = request if size <= largest else request[:largest]
        checked = checked_by(first, number & 0xFFFF_FFFF)
        channel = conversation.channel
        entry = head(0, checked, kind, 0, channel, number, who, now[0], size, 0)
        length = (size + HEAD.size + 7) & ~7
        if size <= largest:
            memory[at : at + length + WORD] = entry + request + pads[size & 7]
        else:
            here = at + HEAD.size
            memory[at:here] = entry
            memory[here : here + size] = request
            memory[here + size : at + length + WORD] = pads[size & 7]
        words[at >> 3] = store.mark | length
        store.tail = at + length
        store.count += 1

    return record


def quick_change(
    store: StableStore,
    unsaved: Callable[[], bytes],
    now: list[float],
    conversation: Conversation,
    operation: Op,
    who: int,
    otherwise: Record,
) -> Record:
    """The same for a service that says what has changed: `unsaved`; with it goes the reply."""
    memory, words, head, pads = store.memory, store.words, HEAD.pack, PADS
    checked_by, largest, kind, done = checksum, CHECKED, CHANGE, DONE

    def record(request: Frame, result: Any) -> None:
        at = store.tail
        if at > SOFT or store.count >= MOST:
            otherwise(request, result)
            return
        conversation.results = [(operation, result)]
        conversation.done = number = conversation.number
        reply = done if result is None else reply_to(operation, result)
        changes = unsaved()
        size, more = len(reply), len(changes)
        body = reply + changes
        first = body if size + more <= largest else reply[:largest] + changes[:largest]
        checked = checked_by(first, number & 0xFFFF_FFFF)
        channel = conversation.channel
        entry = head(0, checked, kind, 0, channel, number, who, now[0], size, more)
        length = (size + more + HEAD.size + 7) & ~7
        memory[at : at + length + WORD] = entry + body + pads[size + more & 7]
        words[at >> 3] = store.mark | length
        store.tail = at + length
        store.count += 1

    return record
