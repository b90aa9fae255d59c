"""Page replacement policies: every class that a module of this package defines, by its name."""

import importlib
import inspect
import pkgutil

from servers.memory.policies.policy import Look, Policy

__all__ = ["Look", "Policy", "policies"]


def policies() -> dict[str, type[Policy]]:
    """All policies by name, sorted. A new one is a new file; there is no list to edit."""
    found: dict[str, type[Policy]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(member, Policy) and member is not Policy:
                found[member.name] = member
    return dict(sorted(found.items()))
