"""The reference of all services, as a page: derived from the contract, so it can't drift."""

import errno
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Final

from lab.refusal import Refusal
from twinos import Op, Service, operations
from twinos.values import type_name
from twinos.wiring import needs, privileges, users_privileges

HEAD: Final = """\
# Services

Made by `twinos services --markdown` from the services' declarations; a test holds it current.

An operation is two messages under the microkernel, request and reply, and two more for each request
that it sends on to a service in another process; under the monolithic kernel it is none.
`twinos run WORKLOAD` counts them. *May wait*: others are served meanwhile. *Knows the caller*: the
kernel tells it who asks. *Idempotent*: sent again if the server was started again. Errors are those
that an operation's description names; those of the services that it calls pass through."""

_CODES: Final = re.compile(rf"\b(?:{'|'.join(sorted(filter(str.isupper, dir(errno))))})\b")


def markdown(known: Mapping[str, type[Service]]) -> str:
    """The page about the services in `known`."""
    lines = [HEAD, ""]
    for service in known.values():
        lines += _section(service, known)
    return "\n".join(lines).rstrip()


def setting(parameter: inspect.Parameter) -> str:
    """A plain constructor parameter, as it is written."""
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{parameter.name}: {type_name(parameter.annotation)}{default}"


def marks(operation: Op) -> list[str]:
    """What else a client should know of an operation."""
    told = {
        "may wait": operation.waits,
        "knows the caller": operation.wants_caller,
        "idempotent": operation.idempotent,
        "repeatable": operation.repeatable and not operation.idempotent,
    }
    return [mark for mark, holds in told.items() if holds]


def survival(service: type[Service]) -> str:
    """What becomes of a service's state, and of requests, when it dies in a space of its own."""
    asked = needs(service)
    if asked.journal:
        return f"survives, {asked.recording.value}"
    if all(operation.idempotent for operation in operations(service).values()):
        return "requests are repeated"
    return "begins anew"


def _section(service: type[Service], known: Mapping[str, type[Service]]) -> Iterator[str]:
    asked = needs(service)
    yield f"## {service.__name__}"
    yield ""
    yield f"`{service.__module__}`"
    yield ""
    yield _document(service)
    yield ""
    yield f"- May call: {_listed(_handle(service, callee) for callee in asked.handles.values())}"
    yield f"- May be called by: {_listed(_clients(service, known))}"
    yield f"- Regions: {_listed(_region(name, asked.shared) for name in asked.regions)}"
    yield f"- When it dies: {survival(service)}"
    yield f"- Settings: {_listed(f'`{setting(p)}`' for p in asked.settings.values())}"
    yield ""
    yield "| operation | errors | |"
    yield "|---|---|---|"
    for operation in operations(service).values():
        yield _row(operation)
    yield ""


def _document(service: type[Service]) -> str:
    text = inspect.getdoc(service)
    if not text:
        raise Refusal(f"{service.__name__} has no docstring.")
    return text.partition("\n\nArgs:")[0].partition("\n\nRaises:")[0]


def _handle(client: type[Service], callee: type[Service]) -> str:
    return _of(callee, privileges(client, callee))


def _clients(service: type[Service], known: Mapping[str, type[Service]]) -> Iterator[str]:
    for client in known.values():
        if service in needs(client).handles.values():
            yield client.__name__
    yield "users" if users_privileges("user", service) else "the superuser"


def _of(callee: type[Service], allowed: frozenset[str]) -> str:
    if allowed == frozenset(operations(callee)):
        return callee.__name__
    return f"{callee.__name__} ({', '.join(sorted(allowed))})"


def _region(name: str, shared: frozenset[str]) -> str:
    return f"`{name}` (shared with users)" if name in shared else f"`{name}`"


def _listed(items: Iterator[str]) -> str:
    return ", ".join(items) or "none"


def _row(operation: Op) -> str:
    summary = operation.doc.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    signature = operation.signature().replace("|", "\\|")
    codes = " ".join(sorted(set(_CODES.findall(operation.doc))))
    told = (
        f"{summary} *{', '.join(marks(operation)).capitalize()}.*" if marks(operation) else summary
    )
    return f"| `{signature}` | {codes} | {told} |"
