"""Finding workloads: whatever a module of this package declares; there is no list to edit.

Projects of others name their modules as entry points of the group `twinos.workloads`.
"""

import importlib
import pkgutil
from collections.abc import Collection, Sequence
from importlib.metadata import entry_points
from typing import Final

import workloads
from workloads.workload import DECLARED, Workload

ENTRY_POINTS: Final = "twinos.workloads"


def catalogue() -> dict[str, Workload]:
    """All workloads by name, sorted by module and then as declared.

    Raises:
        ValueError: two have one name, or one is called as a group is.
    """
    for module in sorted(module.name for module in pkgutil.walk_packages(workloads.__path__)):
        importlib.import_module(f"{workloads.__name__}.{module}")
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()
    found: dict[str, Workload] = {}
    for one in sorted(DECLARED, key=lambda one: one.function.__module__):
        if found.setdefault(one.name, one) is not one:
            raise ValueError(f"two workloads are called {one.name}")
    _check_groups(found)
    return found


def declared_in(modules: Collection[str]) -> dict[str, Workload]:
    """The workloads of some modules by name, without importing any other."""
    for module in modules:
        importlib.import_module(module)
    return {one.name: one for one in DECLARED if one.function.__module__ in modules}


def groups(workloads_by_name: dict[str, Workload]) -> dict[str, list[Workload]]:
    """The workloads of each group."""
    by_group: dict[str, list[Workload]] = {}
    for one in workloads_by_name.values():
        by_group.setdefault(one.group, []).append(one)
    return by_group


def select(names: Sequence[str], *, extra: bool = False) -> list[Workload]:
    """The workloads that `names` (of workloads or groups) select, each once; none selects all.

    Args:
        names: of workloads or of groups.
        extra: groups include those workloads that run only when asked for. A group of nothing
            else that is named is asked for.

    Raises:
        KeyError: no workload and no group has this name.
    """
    known = catalogue()
    by_group = groups(known)
    chosen: dict[str, Workload] = {}
    for name in names or by_group:
        if name in known:
            chosen[name] = known[name]
        else:
            members = by_group[name]
            ordinary = [one for one in members if not one.extra]
            whole = extra or (names and not ordinary)
            chosen.update((one.name, one) for one in (members if whole else ordinary))
    return list(chosen.values())


def _check_groups(found: dict[str, Workload]) -> None:
    """A group may share its name with its only member (`null`), not with one of several."""
    for group, members in groups(found).items():
        if group in found and [found[group]] != members:
            raise ValueError(f"{group} is a workload and a group of several")
