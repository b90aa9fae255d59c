"""What a reader asked for on the command line, as workloads and processors."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec

from lab.refusal import Refusal, broken, unknown
from lab.schema import Users
from workloads.catalogue import catalogue, groups, select
from workloads.workload import Options, Workload


def chosen(names: Sequence[str], *, quick: bool = False, full: bool = False) -> list[Workload]:
    """The workloads that names of workloads or groups select, sized as asked for.

    Args:
        names: of workloads or groups; none selects all.
        quick: in the sizes of a quick run.
        full: in those of a full run, and also those that run only when asked for.

    Raises:
        Refusal: a name is unknown, or a workload can't be loaded.
    """
    try:
        known = catalogue()
    except Exception as error:  # the module of a workload or service may fail in any way
        raise broken("the workloads", error) from error
    for name in names:
        if name not in known and name not in groups(known):
            raise unknown("workload", name, [*known, *groups(known)], "twinos workloads")
    return [
        one.with_options(one.quick if quick else one.full if full else {})
        for one in select(names, extra=full)
    ]


def runnable(workloads: Iterable[Workload], *, named: bool) -> list[Workload]:
    """Those workloads whose packages are installed.

    Args:
        workloads: what was asked for.
        named: by name; else what lacks its package is told on standard error and left out.

    Raises:
        Refusal: one was named and lacks its package.
    """
    found = []
    for one in workloads:
        if not one.needs or find_spec(one.needs):
            found.append(one)
            continue
        lack = f"{one.name} needs the package {one.needs}: pip install 'twinos[{one.group}]'."
        if named:
            raise Refusal(lack)
        print(f"Left out: {lack}", file=sys.stderr)
    return found


def runs(
    workloads: Sequence[Workload], wanted: Users
) -> Iterator[tuple[Sequence[Workload], Users]]:
    """The workloads of each run, and where its users live.

    What starts programs takes users that are processes. With other workloads beside it, for users
    in the kernel's process, that makes two runs.
    """
    spawning = [one for one in workloads if one.spawns]
    if wanted == "process" or not spawning:
        yield workloads, wanted
        return
    yield spawning, "process"
    others = [one for one in workloads if not one.spawns]
    if others:
        yield others, wanted


def with_settings(workloads: Iterable[Workload], settings: Sequence[str]) -> list[Workload]:
    """The workloads, with `name=value` settings applied to those that have such an option.

    Raises:
        Refusal: a setting is no `name=value`, no workload has it, or its value is no number.
    """
    sized = list(workloads)
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise Refusal(f"--set takes NAME=VALUE, not {setting!r}.")
        if not any(name in one.settable for one in sized):
            known = {option for one in sized for option in one.settable}
            raise unknown("option", name, known, "twinos workloads NAME")
        sized = [_set(one, name, value) if name in one.settable else one for one in sized]
    return sized


def _set(workload: Workload, name: str, value: str) -> Workload:
    options: Options = {name: value}
    if isinstance(workload.options[name], int):
        if not value.isdecimal():
            raise Refusal(f"{name} of {workload.name} is a number, not {value!r}.")
        options = {name: int(value)}
    return workload.with_options(options)
