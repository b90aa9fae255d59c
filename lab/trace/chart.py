"""A sequence chart in letters: a column for each party, a line for each message.

    shell        ProcessManager   FileSystem
      │──spawn()──────▶│               │
      │                │──load()──────▶│
      │                │◀──────────────│
      │◀───────────────│               │

A request that leads to no other is drawn with its answer in one line; several of the same kind in
a row are one line with their number. Calls inside one address space are dotted.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from lab.trace.recorder import Request

GAP: Final = 18
"""Letters between two columns, at least."""

Crosses = Callable[[str, str], bool]
"""Whether a request of the first party to the second is a message."""


def parties(requests: Sequence[Request]) -> list[str]:
    """Who takes part: programs first, then services, as they come."""
    services = {request.service for request in requests}
    programs = [request.client for request in requests if request.client not in services]
    return list(dict.fromkeys([*programs, *(request.service for request in requests)]))


def chart(requests: Sequence[Request], crosses: Crosses) -> Iterator[str]:
    """The lines of the chart."""
    names = parties(requests)
    if not names:
        return
    places = _places(names)
    yield "".join(
        f"{name:<{places[at + 1] - places[at]}}" if at + 1 < len(names) else name
        for at, name in enumerate(names)
    )
    for (is_answer, *_), group in groupby(_messages(requests), key=_kind):
        same = [message.request for message in group]
        if is_answer or same[0] in _busy(requests):
            yield from (_drawn(names, places, [one], crosses, is_answer=is_answer) for one in same)
        else:
            yield _drawn(names, places, same, crosses, is_answer=False)


def _places(names: Sequence[str]) -> list[int]:
    """Where each column begins."""
    places = [0]
    for name in names[:-1]:
        places.append(places[-1] + max(GAP, len(name) + 2))
    return places


class _Message(NamedTuple):
    is_answer: bool
    request: Request


def _kind(message: _Message) -> tuple[bool, str, str, str]:
    request = message.request
    return message.is_answer, request.client, request.service, request.operation


def _messages(requests: Sequence[Request]) -> list[_Message]:
    """Requests, and the answers of those in the middle of which something else was asked."""
    busy = _busy(requests)
    moments = [(request.start, _Message(is_answer=False, request=request)) for request in requests]
    moments += [(request.end, _Message(is_answer=True, request=request)) for request in busy]
    return [message for _, message in sorted(moments, key=lambda moment: moment[0])]


def _busy(requests: Sequence[Request]) -> list[Request]:
    """The requests for which the service asked somebody itself."""
    return [
        request
        for request in requests
        if any(
            other.client == request.service and request.start <= other.start <= request.end
            for other in requests
        )
    ]


def _drawn(
    names: Sequence[str],
    places: Sequence[int],
    same: Sequence[Request],
    crosses: Crosses,
    *,
    is_answer: bool,
) -> str:
    """A line: an arrow, and behind the columns what it says."""
    request = same[0]
    source, target = names.index(request.client), names.index(request.service)
    if is_answer:
        source, target = target, source
    dash = "─" if crosses(request.client, request.service) else "·"
    many = f" x {len(same)}" if len(same) > 1 else ""
    label = "" if is_answer else request.operation + many
    line = _arrow(places, source, target, dash, label)
    if is_answer:
        return line.rstrip()
    took = sum(one.end - one.start for one in same) / 1000
    arguments = "..." if many else request.arguments
    failed = f"  {request.outcome}" if request.outcome else ""
    return f"{line}  {request.operation}({arguments}){many} {took:,.0f} µs{failed}"


def _arrow(places: Sequence[int], source: int, target: int, dash: str, label: str) -> str:
    letters = [" "] * (places[-1] + 3)
    for place in places:
        letters[place + 2] = "│"
    start, end = places[source] + 2, places[target] + 2
    low, high = min(start, end), max(start, end)
    letters[low + 1 : high] = dash * (high - low - 1)
    if source != target:
        letters[end - 1 if end > start else end + 1] = "▶" if end > start else "◀"
    text = label[: max(high - low - 5, 0)]
    letters[low + 3 : low + 3 + len(text)] = text
    return "".join(letters)


def show(requests: Sequence[Request], is_message: Crosses, kernel: str) -> None:
    """Print the chart, and how many messages that were."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in chart(requests, is_message):
        print(line[:width])
    messages = 2 * sum(is_message(each.client, each.service) for each in requests)
    print(f"{kernel}: {len(requests)} requests, {messages} messages")
