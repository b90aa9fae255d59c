"""Limits by name: what bounds a program, for whoever wants to see or to set it."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kernels.boot import REQUESTS
from lab.refusal import Refusal
from twinos import Service
from twinos.limits import limits
from twinos.wiring import needs

KERNEL: Final = "kernel"


class Row(NamedTuple):
    """A limit: its name, default, what it bounds, and what becomes of who wants more."""

    name: str
    default: int
    bounds: str
    beyond: str


def rows(services: Iterable[type[Service]]) -> Iterator[Row]:
    """All limits of some services, and those of the kernel itself."""
    yield Row("requests", REQUESTS, "requests of one caller under way at one server", "EAGAIN")
    for service in services:
        for name, mark in limits(service).items():
            default = needs(service).settings[name].default
            yield Row(f"{service.__name__}.{name}", default, mark.bounds, mark.beyond)


class Chosen(NamedTuple):
    """Limits that somebody has set: the kernel's options, and settings of services."""

    options: dict[str, int]
    config: dict[type[Service], dict[str, Any]]


def chosen(texts: Sequence[str], services: Mapping[str, type[Service]]) -> Chosen:
    """What `NAME=VALUE` says, for each limit that is set. Refusal: there is none, or no number."""
    known = {row.name: row for row in rows(services.values())}
    options: dict[str, int] = {}
    config: dict[type[Service], dict[str, Any]] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known:
            hint = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            meant = f"; did you mean {hint[0]}?" if hint else "."
            raise Refusal(f"there is no limit {name!r}{meant} `twinos limits` lists them.")
        if not value.isascii() or not value.isdecimal() or not int(value):
            raise Refusal(f"--limit {name}= takes a number from 1 on, not {value!r}.")
        service, _, setting = name.rpartition(".")
        if service:
            config.setdefault(services[service], {})[setting] = int(value)
        else:
            options[name] = int(value)
    return Chosen(options, config)
