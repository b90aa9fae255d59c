"""Experiments that look at the structure: what there is, what it reaches, how long it is."""

import ast
import importlib.util
import inspect
import io
import os
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kernels import boot
from lab import meter, selection
from lab.catalogue import services
from lab.debate.evidence import Finding, Measure, Setting
from lab.dispatch import dispatch
from lab.measuring import Cost
from lab.station import Job
from servers.filesystem import FileSystem
from twinos import operations
from twinos.wiring import boot_order, dependencies, privileges
from workloads.workload import Workload

PACKAGES = ("twinos", "kernels")


def inventory(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What a running system is made of, counted from outside.

    Parameters: `workload`, whose messages are counted. Measures: `address spaces KERNEL` (processes
    that hold services), `messages KERNEL` by request.
    """
    measures = []
    (workload,) = selection.chosen([parameters["workload"]])
    for kernel in ("monolithic", "microkernel"):
        before = meter.descendants(os.getpid())
        with boot(kernel, FileSystem):
            found = meter.descendants(os.getpid(), without=before)
        spaces = max(len(found) - 1, 1) if found else 1  # one is the kernel proper
        measures.append(Measure(f"address spaces {kernel}", spaces, exact=True))
        cost = _counted(setting, kernel, workload)
        per_request = cost.messages / cost.requests
        measures.append(Measure(f"messages {kernel}", per_request, exact=True))
    return Finding(measures, notes=[f"messages by request of {workload.name}"])


def between(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What services say to each other so that an operation means what it should.

    Parameters: `workloads`; `kernels`. Measures: `between WORKLOAD, KERNEL`: messages that are
    neither a user's request nor the reply to one; `asked WORKLOAD`: requests of the user.
    """
    measures = []
    for workload in selection.chosen(parameters["workloads"]):
        for kernel in parameters["kernels"]:
            cost = _counted(setting, kernel, workload)
            own = 2 * cost.requests if cost.messages else 0
            name = f"between {workload.name}, {kernel}"
            measures.append(Measure(name, cost.messages - own, exact=True))
        measures.append(Measure(f"asked {workload.name}", cost.requests, exact=True))
    return Finding(measures, notes=["both kernels run the same services, so the same lines"])


def _counted(setting: Setting, kernel: str, workload: Workload) -> Cost:
    """The messages and requests of one operation."""
    job = Job(
        kernel=kernel,
        users="inline",
        cpus=setting.cpus,
        mode="count",
        workloads={workload.name: workload.options},
    )
    return dispatch(job).costs[workload.name]


def agreement(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """The share of services that mean the same under every kernel, by drawn sequences of requests.

    Parameters: `services`; `kernels`. Measures: `share`.
    """
    if importlib.util.find_spec("hypothesis") is None:
        return Finding(lacks="the package hypothesis: pip install 'twinos[dev]'")
    from lab.agreement import DisagreementError, check_agreement  # noqa: PLC0415 (an extra)

    known = services()
    names = parameters["services"]
    notes = []
    for name in names:
        try:
            check_agreement(
                known[name],
                kernels=parameters["kernels"],
                examples=4 if setting.quick else 20,
                steps=15,
                start=setting.seed,
            )
        except DisagreementError as error:
            notes.append(f"{name}: {error}")
    share = (len(names) - len(notes)) / len(names)
    return Finding([Measure("share", share, exact=True)], notes=notes)


def reach(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """How much of the system each service can call.

    In one address space everything can be called by whoever has its address; a server has the
    operations that it was granted. Measures: `reach KERNEL`, the share of all pairs of a service
    and another's operation; `reach ratio`, the first kernel's over the second's.
    """
    del setting, parameters
    order = boot_order(services().values())
    operations_of = {service: len(operations(service)) for service in order}
    pairs = sum(operations_of[other] for one in order for other in order if one is not other)
    granted = sum(len(privileges(one, other)) for one in order for other in dependencies(one))
    return Finding(
        [
            Measure("reach monolithic", 1.0, exact=True),
            Measure("reach microkernel", granted / pairs, exact=True),
            Measure("reach ratio", pairs / granted, exact=True),
        ],
        notes=[f"{len(order)} services, {granted} of {pairs} pairs granted"],
    )


def lines(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """Lines of code that each kernel takes, services not counted.

    Measures: `lines KERNEL` (of its modules in `kernels/` and all that these import there),
    `lines ratio`, the microkernel's over the monolithic kernel's; `files for a service`.
    """
    del setting, parameters
    found = {name: _closure(f"kernels.{name}") for name in ("monolithic", "microkernel")}
    found["microkernel"] |= _closure("kernels.server")
    sizes = {name: sum(map(code_lines, modules)) for name, modules in found.items()}
    return Finding(
        [
            *(Measure(f"lines {name}", size, exact=True) for name, size in sizes.items()),
            Measure("lines ratio", sizes["microkernel"] / sizes["monolithic"], exact=True),
            Measure("files for a service", 1, exact=True),
        ],
        notes=["a service is one file, the same under both kernels"],
    )


def trusted_core(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """Lines that run where one bug takes the whole system along.

    Under the microkernel the kernel proper; under the monolithic kernel that and every service.
    Measures: `lines KERNEL`, `lines ratio`.
    """
    del setting, parameters
    core = sum(map(code_lines, _closure("kernels.nucleus")))
    modules = {Path(inspect.getfile(service)) for service in services().values()}
    files = {file for path in modules for file in _package(path)}
    served = sum(map(code_lines, files))
    whole = sum(map(code_lines, _closure("kernels.monolithic"))) + served
    return Finding(
        [
            Measure("lines monolithic", whole, exact=True),
            Measure("lines microkernel", core, exact=True),
            Measure("lines ratio", whole / core, exact=True),
        ]
    )


def _package(path: Path) -> Iterable[Path]:
    """A service's own file, or all of its package."""
    return [path] if path.parent.name == "servers" else path.parent.glob("*.py")


@cache
def code_lines(path: Path) -> int:
    """Lines of a module that have code on them: no comment, no docstring, not empty."""
    source = path.read_text(encoding="utf-8")
    told: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    skipped |= {tokenize.ENDMARKER, tokenize.ENCODING}
    used: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            used.update(range(token.start[0], token.end[0] + 1))
    return len(used - told)


def _closure(module: str) -> set[Path]:
    """The files of a module and of all that it imports of the contract and the kernels."""
    found: set[Path] = set()
    wanted = [module]
    while wanted:
        spec = importlib.util.find_spec(wanted.pop())
        if spec is None or spec.origin is None or Path(spec.origin) in found:
            continue
        found.add(Path(spec.origin))
        wanted += _imports(Path(spec.origin))
    return found


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: Iterable[str] = ()
        if isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))
        for name in names:
            if name.partition(".")[0] in PACKAGES and name not in PACKAGES and _exists(name):
                yield name


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
