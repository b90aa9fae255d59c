"""Traces as Chrome's trace events, which ui.perfetto.dev and chrome://tracing show.

A party is a process of the trace, with a thread for each of its clients: so it is in the system,
where each channel has a thread. Flow arrows lead from a request to where it is served, and back.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import msgspec

from lab.trace.chart import parties
from lab.trace.recorder import Request

Events = list[dict[str, Any]]


def trace_events(runs: Mapping[str, Sequence[Request]]) -> bytes:
    """The trace of one or more runs, by the name of the kernel, side by side from time 0 on."""
    pids, flows = count(1), count(1)
    events: Events = []
    for kernel, requests in runs.items():
        events += _run(kernel, requests, pids, flows)
    return msgspec.json.format(
        msgspec.json.encode({"traceEvents": events, "displayTimeUnit": "ns"}), indent=1
    )


def _run(
    kernel: str, requests: Sequence[Request], pids: Iterator[int], flows: Iterator[int]
) -> Events:
    names = parties(requests)
    pid_of = {name: next(pids) for name in names}
    zero = min((request.start for request in requests), default=0)
    tracks: dict[tuple[str, object], int] = {}
    events: Events = [
        _metadata("process_name", pid_of[name], 0, f"{kernel}: {name}") for name in names
    ]

    def track(party: str, key: object, title: str) -> dict[str, int]:
        """The thread of a party that deals with something; it is named when it is new."""
        number = tracks.get((party, key))
        if number is None:
            number = tracks[party, key] = len(tracks) + 1
            events.append(_metadata("thread_name", pid_of[party], number, title))
        return {"pid": pid_of[party], "tid": number}

    for request in requests:
        name = f"{request.service}.{request.operation}"
        start, end = (request.start - zero) / 1000, (request.end - zero) / 1000
        own = (request.process, request.thread)
        asks = track(request.client, own, f"{request.client} {request.process}")
        serves = track(request.service, own, f"for {request.client} {request.process}")
        details = {"arguments": request.arguments, "outcome": request.outcome or "done"}
        flow = {"name": "request", "cat": "message", "id": next(flows)}
        both = {"name": name, "ph": "X", "ts": start, "dur": end - start, "args": details}
        events += [
            {**both, **asks, "cat": "request"},
            {**both, **serves, "cat": "service"},
            {**flow, **asks, "ph": "s", "ts": start},
            {**flow, **serves, "ph": "f", "bp": "e", "ts": start},
        ]
    return events


def _metadata(what: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}
