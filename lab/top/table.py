"""A look as text: what the screen and `--once` have in common."""

from collections.abc import Iterable, Sequence
from typing import Final

from tabulate import tabulate

from lab.top.look import Look, ServiceLook
from servers.process import ProcessInfo
from workloads.programs._common import human

SERVICES: Final = (
    *("service", "state", "pid", "restarts"),
    *("req/s", "queue", "wait µs", "CPU %", "memory"),
)
PROCESSES: Final = ("PID", "PPID", "S", "NI", "CPU s", "memory", "command")
_FRAME: Final = 4096
SILENT: Final = 3.0
"""Seconds without an answer after which the services that were asked are told to be silent."""


def service_row(one: ServiceLook) -> tuple[str, ...]:
    """A service, as cells."""
    shared = (
        "" if one.rate is None else f"{one.rate:,.0f}",
        "" if one.waiting is None else f"{one.waiting}",
        "" if one.wait is None else f"{one.wait:,.0f}",
        "" if one.cpu is None else f"{100 * one.cpu:.0f}",
        "" if one.resident is None else human(one.resident),
    )
    return (one.name, one.state, str(one.pid or "-"), str(one.restarts), *shared)


def process_row(one: ProcessInfo) -> tuple[str, ...]:
    """A process, as cells."""
    numbers = (str(one.pid), str(one.ppid), one.state, str(one.nice))
    return (*numbers, f"{one.cpu:.2f}", human(one.memory), one.command)


def busiest(look: Look) -> list[ProcessInfo]:
    """The processes, those first that have used most of the processor."""
    return sorted(look.answers.processes, key=lambda one: (-one.cpu, one.pid))


def headline(look: Look) -> str:
    """What happens, in a line."""
    rates = look.rates
    text = (
        f"{look.kernel}, up {_span(look.uptime)}: {rates.messages:,.0f} messages/s of "
        f"{human(rates.bytes)}B/s, {rates.interrupts:,.0f} interrupts/s"
    )
    return look.panic or text


def memory_line(look: Look) -> str:
    """What the memory manager, or its silence, says."""
    found, states = look.answers.memory, [one.state for one in look.answers.processes]
    if found is None:
        return "memory and processes: not heard of yet"
    text = (
        f"{len(states)} processes ({states.count('R')} R, {states.count('T')} T, "
        f"{states.count('Z')} Z); memory {_part(found.frames - found.free_frames, found.frames)}, "
        f"swap {_part(found.swap - found.free_swap, found.swap)}, {found.spaces} spaces"
    )
    silent = f"; no answer for {look.silence:.0f} s" if look.silence >= SILENT else ""
    return text + silent


def show(look: Look) -> str:
    """All of it."""
    parts = (
        f"{headline(look)}\n{memory_line(look)}",
        _table(map(service_row, look.services), SERVICES, ("left", "left")),
        _table(map(process_row, busiest(look)), PROCESSES, ()),
    )
    return "\n\n".join(parts)


def _table(rows: Iterable[Sequence[str]], headers: Sequence[str], first: Sequence[str]) -> str:
    last = ("left",) if headers is PROCESSES else ()
    middle = ("right",) * (len(headers) - len(first) - len(last))
    return tabulate(
        list(rows),
        headers,
        colalign=(*first, *middle, *last),
        disable_numparse=True,
        tablefmt="simple",
    )


def _part(used: int, of: int) -> str:
    return f"{human(used * _FRAME)} of {human(of * _FRAME)}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
