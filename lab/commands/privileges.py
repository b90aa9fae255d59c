"""`twinos privileges`: who may call what, as constructors and services declare it."""

import argparse
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
from tabulate import tabulate

from lab.catalogue import services
from lab.refusal import unknown
from twinos import Service, operations
from twinos.wiring import USERS, dependencies, needs, privileges, users_privileges

EPILOG: Final = """\
Whoever is not listed may not: a request is refused with EPERM, by the server if the stub is gone
round. `root` is the superuser, `user` everybody else.

examples:
  twinos privileges
  twinos privileges Disk
  twinos privileges --json
"""


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
    parser.add_argument("service", nargs="?", metavar="SERVICE", help="only who may call this one")
    parser.add_argument("--json", action="store_true", help="every operation by name, as JSON")


def execute(arguments: argparse.Namespace) -> int:
    """Print the table."""
    known = services()
    wanted = set(known)
    if arguments.service is not None:
        wanted = {name for name in known if name.lower() == arguments.service.lower()}
        if not wanted:
            raise unknown("service", arguments.service, known, "twinos services")
    rows = [row for row in listed(known.values()) if row.service in wanted]
    print(_as_json(rows) if arguments.json else _as_table(rows))
    return 0


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
