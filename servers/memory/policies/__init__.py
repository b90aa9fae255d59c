"""Page replacement policies: every class that a module of this package defines, by its name."""

import importlib
import inspect
import pkgutil

from servers.memory.policies.policy import Look, Policy

__all__ = ["Look", "Policy", "policies"]


def policies() -> dict[str, type[Policy]]:
    """All policies by name, sorted. A new one is a new file; there is no list to edit.

    Raises:
        TypeError: a policy has no name, or that of another one.
    """
    found: dict[str, type[Policy]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if not issubclass(member, Policy) or member.__module__ != module.name:
                continue
            if member is not Policy:
                _add(found, member)
    return dict(sorted(found.items()))


def _add(found: dict[str, type[Policy]], policy: type[Policy]) -> None:
    name = vars(policy).get("name")
    if not isinstance(name, str):
        raise TypeError(f"the policy {policy.__name__} in {policy.__module__} has no name")
    other = found.setdefault(name, policy)
    if other is not policy:
        raise TypeError(
            f"{policy.__module__}.{policy.__name__} and {other.__module__}.{other.__name__} "
            f"are both called {name!r}"
        )
