"""`twinos services`: services and operations, as the contract has them."""

import argparse
import inspect
import textwrap
from collections.abc import Iterator
from typing import Final

from tabulate import tabulate

from lab.catalogue import services
from lab.reference import markdown, marks, setting, survival
from lab.refusal import Refusal, unknown
from twinos import Op, Service, operations
from twinos.wiring import needs

EPILOG: Final = """\
Restarts and uptime of those that run: `status` in `twinos shell`, `twinos top`, `System.status()`.

examples:
  twinos services
  twinos services FileSystem
  twinos services --markdown > docs/SERVICES.md
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("service", nargs="?", metavar="SERVICE", help="describe this one")
    parser.add_argument("--markdown", action="store_true", help="all of them, as a page")


def execute(arguments: argparse.Namespace) -> int:
    """List them, or describe one."""
    known = services()
    if arguments.service is None:
        print(markdown(known).rstrip("\n") if arguments.markdown else _overview(known))
        return 0
    if arguments.markdown:
        raise Refusal("--markdown is a page of all services.")
    by_lower = {name.lower(): service for name, service in known.items()}
    service = by_lower.get(arguments.service.lower())
    if service is None:
        raise unknown("service", arguments.service, known, "twinos services")
    print("\n".join(_description(service)))
    return 0


def _overview(known: dict[str, type[Service]]) -> str:
    table = [
        [
            name,
            ", ".join(handle.__name__ for handle in needs(service).handles.values()),
            survival(service).partition(",")[0],
            textwrap.fill(" ".join(operations(service)), 60, break_long_words=False),
        ]
        for name, service in known.items()
    ]
    return tabulate(table, ["service", "may call", "when it dies", "operations"])


def _description(service: type[Service]) -> Iterator[str]:
    yield f"{service.__name__} ({service.__module__})"
    yield ""
    yield inspect.getdoc(service) or "Undocumented."
    asked = needs(service)
    yield ""
    yield f"may call: {_listed(handle.__name__ for handle in asked.handles.values())}"
    yield f"regions: {_listed(iter(asked.regions))}"
    if asked.mailboxes:
        yield f"mailbox: {_listed(kind.__name__ for kind in asked.mailboxes.values())}"
    yield f"when it dies: {survival(service)}"
    if service.__overlaps__:
        together = (name for name in operations(service) if name in service.__overlaps__)
        yield f"overlaps: {_listed(together)}"
    if service.__admits__:
        alone = (name for name in operations(service) if name in service.__admits__)
        yield f"admits these while it waits in: {_listed(alone)}"
    yield f"settings: {_listed(setting(p) for p in asked.settings.values())}"
    for operation in operations(service).values():
        yield ""
        yield _signature(operation)
        yield textwrap.indent(operation.doc or "Undocumented.", "    ")


def _listed(names: Iterator[str]) -> str:
    return ", ".join(names) or "none"


def _signature(operation: Op) -> str:
    told = ", ".join(marks(operation))
    return operation.signature() + (f"  [{told}]" if told else "")
