"""Scheduling policies: every class that a module of this package defines, by its name."""

import importlib
import inspect
import pkgutil

from kernels.scheduling.policy import Policy, Task

__all__ = ["Policy", "Task", "policies"]


def policies() -> dict[str, type[Policy]]:
    """All policies by name, sorted. A new one is a new file; there is no list to edit.

    Raises:
        TypeError: a policy has no name, or that of another one.
    """
    found: dict[str, type[Policy]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(member, Policy) and member.__module__ == module.name != Policy.__module__:
                name = vars(member).get("name")
                if not isinstance(name, str) or name in found:
                    raise TypeError(f"{module.name}.{member.__name__} has no name of its own")
                found[name] = member
    return dict(sorted(found.items()))
