"""Scheduling policies: every class that a module of this package defines, by its name."""

from kernels.scheduling.policy import Policy, Task
from twinos.named import named_classes

__all__ = ["Policy", "Task", "policies"]


def policies() -> dict[str, type[Policy]]:
    """All policies by name, sorted. A new one is a new file; there is no list to edit.

    Raises:
        TypeError: a policy has no name, or that of another one.
    """
    return named_classes(__path__, __name__, Policy)
