"""Finding services: every one that a module below `servers` defines; there is no list to edit."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import servers
from lab.refusal import Refusal
from twinos import Service
from twinos.errors import describe


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
    return dict(sorted(found.items()))


def _defined_in(module: ModuleType) -> list[type[Service]]:
    return [
        member
        for name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Service)
        and member.__module__ == module.__name__
        and not name.startswith("_")
    ]


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a service's module may fail in any way
        raise Refusal(f"{name} can't be imported: {describe(error)}.") from error


def _refuse(name: str) -> None:
    _import(name)
