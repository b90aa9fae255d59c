"""The replay: what earlier lives of a service have recorded, told to the next one in its order."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from kernels.again import repeater
from kernels.conversations import Conversations
from kernels.frames import SIZE
from kernels.stablestore import CALLER, CHANGE, DEPARTED, REPLY, REQUEST, Entry
from kernels.version import implemented
from twinos import Caller, Op, Service
from twinos.codec import decoder

_read_caller: Final = decoder(Caller)


class Known(NamedTuple):
    """What a recorder knows, and is told here.

    Attributes:
        conversations: with clients.
        callers: who they are, by number.
        introduced: those whom the store knows.
        now: the time that the service was told last.
    """

    conversations: Conversations
    callers: dict[int, Caller]
    introduced: set[int]
    now: list[float]


def replay(
    entries: Iterable[Entry], instance: Service, service: type[Service], known: Known
) -> None:
    """Have a service, and what is known of its clients, go on from the base to the last entry."""
    operations = list(implemented(type(instance), service).values())
    again = [repeater(instance, operation) for operation in operations]
    for entry in entries:
        known.now[0] = entry.time
        if entry.kind == REQUEST:
            number = entry.frame[SIZE - 1]
            result = again[number](known.callers[entry.caller], entry)
            _remember(known, entry, operations[number], result)
        elif entry.kind in {REPLY, CHANGE}:
            _note(instance, entry.contents)
            _remember(known, entry, None, entry.frame)
        elif entry.kind == CALLER:
            known.callers[entry.caller] = _read_caller(entry.frame)
            known.introduced.add(entry.caller)
        elif entry.kind == DEPARTED:
            _depart(instance, entry, known)
        else:
            _note(instance, entry.frame)


def _remember(known: Known, entry: Entry, operation: Op | None, result: Any) -> None:
    place = entry.place, entry.conversation, entry.number, entry.caller
    known.conversations.remember(place, operation, result)


def _depart(instance: Service, entry: Entry, known: Known) -> None:
    if entry.caller in known.callers:
        instance._departed(known.callers[entry.caller])  # noqa: SLF001 (its hook)
    _note(instance, entry.contents)
    known.conversations.forget(entry.caller)


def _note(instance: Service, data: bytes) -> None:
    if data:
        instance._noted(data)  # noqa: SLF001 (its hook)
