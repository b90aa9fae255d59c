"""`twinos privileges`: who may call what, as constructors and services declare it, or less."""

import argparse
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from tabulate import tabulate

from lab import learning, selection
from lab.catalogue import services
from lab.choice import parse
from lab.learning import Lesson
from lab.refusal import Refusal, unknown
from twinos import Service, operations
from twinos.wiring import USERS, dependencies, needs, privileges, users_privileges

EPILOG: Final = """\
Whoever is not listed may not: a request is refused with EPERM, by the server if the stub is gone
round. `root` is the superuser, `user` everybody else.

examples:
  twinos privileges
  twinos privileges Disk
  twinos privileges --json
  twinos privileges --learn           what services called when the usual workloads ran
  twinos privileges --learn --workload files --kernel microkernel
  twinos privileges --learn --program course.py --check
"""


_INDENT: Final = "    "


class Privilege(NamedTuple):
    """One line: what `client` may do with `service`."""

    client: str
    service: str
    operations: tuple[str, ...]
    regions: tuple[str, ...]
    all: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("service", nargs="?", metavar="SERVICE", help="only who may call this one")
    add("--json", action="store_true", help="every operation by name, as JSON")
    add("--learn", action="store_true", help="the least that would do, from what is called")
    add("--workload", action="append", metavar="W", help="learn from this one; may be given again")
    add("--program", metavar="FILE", help="learn from a Python program that boots a kernel")
    add("--kernel", metavar="K", help="under which the workloads run; monolithic by default")
    add("--check", action="store_true", help="status 1 if a handle allows more than was called")


def execute(arguments: argparse.Namespace) -> int:
    """Print the table, or what was learned."""
    known = services()
    wanted = set(known)
    if arguments.service is not None:
        wanted = {name for name in known if name.lower() == arguments.service.lower()}
        if not wanted:
            raise unknown("service", arguments.service, known, "twinos services")
    if arguments.learn:
        return _learn(arguments, [known[name] for name in known], wanted)
    for option in ("workload", "program", "kernel", "check"):
        if getattr(arguments, option):
            raise Refusal(f"--{option} goes with --learn.")
    rows = [row for row in listed(known.values()) if row.service in wanted]
    print(_as_json(rows) if arguments.json else _as_table(rows))
    return 0


def _learn(
    arguments: argparse.Namespace, clients: Iterable[type[Service]], wanted: set[str]
) -> int:
    """Run what is to be learned from, and print it; 1 if --check finds a handle too wide."""
    with learning.recording() as used:
        if arguments.workload or not arguments.program:
            asked = selection.chosen(arguments.workload or [], quick=True)
            if not arguments.workload:
                asked += selection.chosen(["services"], quick=True)
            workloads = selection.runnable(asked, named=bool(arguments.workload))
            learning.run_workloads(parse(arguments.kernel or "monolithic"), workloads)
        if arguments.program:
            own = learning.run_program(arguments.program)
            clients = dict.fromkeys([*clients, *own])
            wanted = wanted | {service.__name__ for service in own}
        learned = [
            lesson for lesson in learning.lessons(clients, used()) if lesson.service in wanted
        ]
    print(_lessons_as_json(learned) if arguments.json else _lessons_as_text(learned))
    silent = {client.__name__ for client in clients if dependencies(client)}
    silent -= {lesson.client for lesson in learned}
    if silent:
        print(f"Nothing was seen of {', '.join(sorted(silent))}.", file=sys.stderr)
    return int(arguments.check and any(lesson.too_much for lesson in learned))


def _lessons_as_text(learned: Sequence[Lesson]) -> str:
    if not learned:
        return "No service called another one."
    return "\n".join(line for lesson in learned for line in _lesson_as_text(lesson))


def _lesson_as_text(lesson: Lesson) -> Iterator[str]:
    yield f"{lesson.client}, of {lesson.service}:"
    yield textwrap.fill(lesson.manifest, 96, initial_indent=_INDENT, subsequent_indent=_INDENT * 2)
    if lesson.too_much:
        yield f"{_INDENT}allowed, but not called: {', '.join(lesson.too_much)}"


def _lessons_as_json(learned: Sequence[Lesson]) -> str:
    found = [
        {**lesson._asdict(), "too_much": lesson.too_much, "manifest": lesson.manifest}
        for lesson in learned
    ]
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def listed(known: Iterable[type[Service]]) -> Iterator[Privilege]:
    """Who may do what with whom: users first, then each service in turn."""
    known = tuple(known)
    for who in USERS:
        for service in known:
            asked = needs(service)
            regions = asked.regions if who == "root" else tuple(sorted(asked.shared))
            yield from _line(who, service, users_privileges(who, service), regions)
    for client in known:
        for service in dependencies(client):
            yield from _line(client.__name__, service, privileges(client, service), ())


def _line(
    client: str, service: type[Service], allowed: frozenset[str], regions: tuple[str, ...]
) -> Iterator[Privilege]:
    names = tuple(name for name in operations(service) if name in allowed)
    if names or regions:
        every = len(names) == len(operations(service))
        yield Privilege(client, service.__name__, names, regions, every)


def _as_table(rows: list[Privilege]) -> str:
    table = [
        [
            row.client,
            row.service,
            "all" if row.all else ", ".join(row.operations),
            ", ".join(row.regions),
        ]
        for row in rows
    ]
    return tabulate(table, ["who", "may call", "operations", "may map"])


def _as_json(rows: list[Privilege]) -> str:
    found = [row._asdict() for row in rows]
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
