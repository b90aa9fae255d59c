"""Finding services: every one that a module below `servers` defines; there is no list to edit."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from types import ModuleType

import servers
from lab.refusal import Refusal, broken
from twinos import Service


def services() -> dict[str, type[Service]]:
    """All services by name, sorted.

    Raises:
        Refusal: a module can't be imported, or two services have one name.
    """
    found: dict[str, type[Service]] = {}
    for module in pkgutil.walk_packages(servers.__path__, "servers.", onerror=_refuse):
        for service in _defined_in(_import(module.name)):
            other = found.setdefault(service.__name__, service)
            if other is not service:
                where = f"{other.__module__} and {service.__module__}"
                raise Refusal(f"two services are called {service.__name__}: {where}.")
    whole = (service for service in found.values() if not _is_part(service, found.values()))
    return {service.__name__: service for service in sorted(whole, key=lambda s: s.__name__)}


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
