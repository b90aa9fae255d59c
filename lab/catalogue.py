"""Finding services: every one that a module below `servers` defines; there is no list to edit.

Projects of others name theirs as entry points of the group `twinos.services`.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Final

import servers
from lab.refusal import Refusal, broken, unknown
from twinos import Service
from twinos.wiring import boot_order

ENTRY_POINTS: Final = "twinos.services"


def services() -> dict[str, type[Service]]:
    """All services by name, sorted.

    Raises:
        Refusal: a module can't be imported, or two services have one name.
    """
    found: dict[str, type[Service]] = {}
    for module in pkgutil.walk_packages(servers.__path__, "servers.", onerror=_refuse):
        for service in _defined_in(_import(module.name)):
            _add(found, service)
    for service in _of_others():
        _add(found, service)
    whole = (service for service in found.values() if not _is_part(service, found.values()))
    return {service.__name__: service for service in sorted(whole, key=lambda s: s.__name__)}


def ordered(names: Iterable[str]) -> list[type[Service]]:
    """The services of these names with all that they need, callees first.

    Raises:
        Refusal: there is none of a name, or as `services` does.
    """
    known = services()
    for name in names:
        if name not in known:
            raise unknown("service", name, known, "twinos services")
    return list(boot_order([known[name] for name in names]))


def _add(found: dict[str, type[Service]], service: type[Service]) -> None:
    other = found.setdefault(service.__name__, service)
    if other is not service:
        where = f"{other.__module__} and {service.__module__}"
        raise Refusal(f"two services are called {service.__name__}: {where}.")


def _of_others() -> Iterator[type[Service]]:
    for entry in entry_points(group=ENTRY_POINTS):
        service = _load(entry)
        if not (isinstance(service, type) and issubclass(service, Service)):
            raise Refusal(f"the entry point {entry.name!r} ({entry.value}) is no service.")
        yield service


def _load(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:  # as above: it may fail in any way
        raise broken(f"the entry point {entry.name!r}", error) from error


def _defined_in(module: ModuleType) -> list[type[Service]]:
    return [
        member
        for name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Service)
        and member.__module__ == module.__name__
        and not name.startswith("_")
    ]


def _is_part(service: type[Service], others: Iterable[type[Service]]) -> bool:
    """Whether a service is only a base of another one in the same package below `servers`."""
    package = _package(service)
    return package != servers.__name__ and any(
        other is not service and issubclass(other, service) and _package(other) == package
        for other in others
    )


def _package(service: type[Service]) -> str:
    return service.__module__.rpartition(".")[0]


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a service's module may fail in any way
        raise broken(name, error) from error


def _refuse(name: str) -> None:
    _import(name)
