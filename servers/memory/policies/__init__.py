"""Page replacement policies: every class that a module of this package defines, by its name."""

from servers.memory.policies.policy import Look, Policy
from twinos.named import named_classes

__all__ = ["Look", "Policy", "policies"]


def policies() -> dict[str, type[Policy]]:
    """All policies by name, sorted. A new one is a new file; there is no list to edit.

    Raises:
        TypeError: a policy has no name, or that of another one.
    """
    return named_classes(__path__, __name__, Policy)
