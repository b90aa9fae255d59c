"""Experiments on what there is to build: lines of code, and what an extension takes of them."""

import ast
import importlib
import importlib.util
import inspect
import io
import sys
import tempfile
import textwrap
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args

from kernels import boot
from kernels.control import Asks, Forking, Lines, News, Users
from kernels.tasking import Tasking
from lab.catalogue import ordered
from lab.debate.evidence import Finding, Measure, Setting
from lab.refusal import Failure, Refusal
from twinos import operations

KERNELS: Final = ("monolithic", "microkernel")
PACKAGES: Final = ("twinos", "kernels")
EXTENSION: Final = '''\
"""Counts how often each name was said."""

from twinos import Service, op


class Tally(Service):
    """Counts how often each name was said."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    @op
    def say(self, name: str) -> int:
        """Say a name; how often it has been said."""
        self._counts[name] = self._counts.get(name, 0) + 1
        return self._counts[name]
'''
"""A fixed extension by a service: one file, no registry, no message number."""


def lines(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """Lines of code that each kernel takes, services not counted.

    Measures: `lines KERNEL` (of its modules in `kernels/` and all that these import there),
    `lines ratio`, the microkernel's over the monolithic kernel's.
    """
    del setting, parameters
    return Finding(sizes())


def sizes() -> list[Measure]:
    """Lines of code of each kernel, and their ratio."""
    found = {name: _closure(f"kernels.{name}") for name in KERNELS}
    found["microkernel"] |= _closure("kernels.server")
    counted = {name: sum(map(code_lines, modules)) for name, modules in found.items()}
    return [
        *(Measure(f"lines {name}", size, exact=True) for name, size in counted.items()),
        Measure("lines ratio", counted["microkernel"] / counted["monolithic"], exact=True),
    ]


def extensions(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What the same extensions take in each kernel: files and lines of code.

    One is a service, which is written here and now, booted under each kernel and asked. The others
    are in the kernels: each has them, and the names of the classes and functions that make them up
    are parameters; what both share is in neither list. Parameters: `kernel`, a table by extension
    and kernel of names such as `kernels.mail:LocalOffice.open`. Measures: `lines of EXTENSION,
    KERNEL`; `files of EXTENSION, KERNEL`; `ratio of lines, EXTENSION`, the microkernel's over the
    monolithic kernel's; `ratio of lines of all that are in a kernel`; and those of `lines`.
    """
    del setting
    measures = list(_by_service())
    total = dict.fromkeys(KERNELS, 0)
    for name, parts in parameters["kernel"].items():
        taken = {kernel: parts_of(parts[kernel]) for kernel in KERNELS}
        total = {kernel: total[kernel] + taken[kernel][0] for kernel in KERNELS}
        measures += [
            measure
            for kernel, (size, files) in taken.items()
            for measure in (
                Measure(f"lines of {name}, {kernel}", size, exact=True),
                Measure(f"files of {name}, {kernel}", files, exact=True),
            )
        ]
        ratio = taken["microkernel"][0] / taken["monolithic"][0]
        measures.append(Measure(f"ratio of lines, {name}", ratio, exact=True))
    ratio = total["microkernel"] / total["monolithic"]
    measures.append(Measure("ratio of lines of all that are in a kernel", ratio, exact=True))
    return Finding([*measures, *sizes()], notes=["lines with code on them; services not counted"])


def _by_service() -> Iterator[Measure]:
    """The extension is built: it must work under both kernels, from the one file."""
    with tempfile.TemporaryDirectory(prefix="twinos-extension-") as folder:
        name = "extension_of_the_debate"
        (Path(folder) / f"{name}.py").write_text(EXTENSION, encoding="utf-8")
        sys.path.insert(0, folder)
        try:
            service = importlib.import_module(name).Tally
            for kernel in KERNELS:
                with boot(kernel, service) as system:
                    if [system[service].say("a") for _ in range(2)] != [1, 2]:
                        raise Failure(f"the extension does not work under the {kernel} kernel.")
        finally:
            sys.path.remove(folder)
            sys.modules.pop(name, None)
    size = count_code(EXTENSION)
    for kernel in KERNELS:
        yield Measure(f"lines of a service, {kernel}", size, exact=True)
        yield Measure(f"files of a service, {kernel}", 1, exact=True)
    yield Measure("ratio of lines, a service", 1.0, exact=True)


def parts_of(names: Sequence[str]) -> tuple[int, int]:
    """Lines of code of some classes and functions, and in how many files they are.

    Args:
        names: of each, as `module:Name` or `module:Name.method`.

    Raises:
        Refusal: one is not there.
    """
    found = [_part(name) for name in names]
    whole = [textwrap.dedent(inspect.getsource(each)) for each in found]
    return sum(map(count_code, whole)), len({inspect.getfile(each) for each in found})


def _part(name: str) -> Any:
    """The class or function that is called `module:Name` or `module:Name.method`.

    Raises:
        Refusal: there is none.
    """
    module, _, inside = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for each in inside.split("."):
            found = inspect.getattr_static(found, each)
    except (ImportError, AttributeError):
        raise Refusal(f"there is no {name!r} to count the lines of.") from None
    return found


def trusted_core(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What runs where one bug takes the whole system along.

    Under the microkernel that is the kernel proper, with every module that it imports; under the
    monolithic kernel that kernel and every service. Parameters: `services`, those that a system
    has. Measures: `lines KERNEL`, `lines ratio`; `operations KERNEL`, what can be asked of that
    core (operations of services, and requests to the kernel proper), `operations ratio`.
    """
    del setting
    core = sum(map(code_lines, _closure("kernels.nucleus")))
    known = ordered(parameters["services"])
    modules = {Path(inspect.getfile(service)) for service in known}
    files = {file for path in modules for file in _package(path)}
    whole = sum(map(code_lines, _closure("kernels.monolithic"))) + sum(map(code_lines, files))
    asks = len(get_args(Asks))
    served = sum(len(operations(service)) for service in known)
    return Finding(
        [
            Measure("lines monolithic", whole, exact=True),
            Measure("lines microkernel", core, exact=True),
            Measure("lines ratio", whole / core, exact=True),
            Measure("operations monolithic", served, exact=True),
            Measure("operations microkernel", asks, exact=True),
            Measure("operations ratio", served / asks, exact=True),
        ],
        notes=[f"{len(known)} services; the kernel proper is asked {_jobs()}"],
    )


def _jobs() -> str:
    """What the kernel proper is asked about, with how many kinds of requests there are."""
    programs, others = len(get_args(Tasking | Forking)), 2
    return (
        f"about channels, callers, grants and mailboxes ({len(get_args(Users))} kinds of requests)"
        f", programs ({programs}), interrupts ({len(get_args(Lines))}), starting and stopping "
        f"({others}), and hears from servers ({len(get_args(News))})"
    )


def _package(path: Path) -> Iterable[Path]:
    """A service's own file, or all of its package."""
    return [path] if path.parent.name == "servers" else path.parent.glob("*.py")


@cache
def code_lines(path: Path) -> int:
    """Lines of a module that have code on them."""
    return count_code(path.read_text(encoding="utf-8"))


def count_code(source: str) -> int:
    """Lines that have code on them: no comment, no docstring, not empty."""
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
