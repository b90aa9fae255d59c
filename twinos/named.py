"""Classes that the modules of a package define, each by a name of its own: no list to edit."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def named_classes(path: Iterable[str], package: str, base: type[T]) -> dict[str, type[T]]:
    """All classes derived from `base`, by their attribute `name`, sorted.

    Args:
        path: the package's `__path__`.
        package: its name.
        base: what they are derived from.

    Raises:
        TypeError: one has no name, or that of another one.
    """
    found: dict[str, type[T]] = {}
    for module in pkgutil.iter_modules(path, f"{package}."):
        for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if not issubclass(member, base) or member.__module__ != module.name:
                continue
            if member is not base:
                _add(found, base, member)
    return dict(sorted(found.items()))


def _add(found: dict[str, type[T]], base: type[T], member: type[T]) -> None:
    name = vars(member).get("name")
    if not isinstance(name, str):
        raise TypeError(
            f"the {base.__name__.lower()} {member.__name__} in {member.__module__} has no name"
        )
    other = found.setdefault(name, member)
    if other is not member:
        raise TypeError(
            f"{member.__module__}.{member.__name__} and {other.__module__}.{other.__name__} "
            f"are both called {name!r}"
        )
