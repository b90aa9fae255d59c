"""A student's class inside a service, which is the only process in which it ever runs.

    class Board(Service): ...      # the contract
    Subject = held(Board)          # what the grader boots in its place

Before the student's file is loaded, the host takes away from the process what it can: files,
processes, sockets, signals (`kernels.cell`). What the file imports of the standard library and of
TwinOS is imported before that, since afterwards nothing can be read any more.
"""

import ast
import functools
import importlib
import inspect
import linecache
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any, Final, TypeVar, cast, get_type_hints

from kernels import User
from kernels.cell import confine_as_possible
from twinos import BootError, Service, operations

S = TypeVar("S", bound=Service)
T = TypeVar("T")

MODULE: Final = "submission"
"""What the student's module is called."""
MEMORY: Final = 4 << 30
"""Bytes of address space that a student's process may have."""
TASKS: Final = 256
"""Processes and threads that may be started beyond those that the host has already."""
PRINTED: Final = 64 << 20
"""Bytes that it may write to a file that is open, its standard output above all."""
_HOOKS: Final = ("_departed", "_received", "_stopping")
_GIVEN: Final = frozenset({"twinos", "servers", "kernels", "msgspec"})
_WANTED: Final = ("traceback", "collections.abc", "dataclasses", "random", "struct", "typing")


def held(contract: type[S]) -> type[S]:
    """The service as which a student's class that derives from `contract` runs.

    It has the contract's operations, wiring and declarations, whatever the student's class says,
    and two settings: `source`, the text of the student's file, and `file`, its name. Bind it to the
    name `Subject` at the top of the lab's `contract.py`.
    """
    members: dict[str, Any] = {
        "__module__": contract.__module__,
        "__qualname__": "Subject",
        "__doc__": contract.__doc__,
        "__init__": _constructor(contract),
    }
    for name in operations(contract):
        members[name] = _forward(name, getattr(contract, name))
    for name in _HOOKS:
        members[name] = _forward(name, getattr(contract, name))
    return cast("type[S]", type(contract.__name__, (contract,), members))


def student_class(base: type[T], source: str, file: str) -> type[T]:
    """Lock this process in, load a student's file, and find its one class that derives from `base`.

    Raises:
        BootError: it can't be loaded, or has no such class, or several.
    """
    names = vars(_locked_in(source, file))
    found: list[type[T]] = [each for each in names.values() if _is_own(each, base)]
    if len(found) != 1:
        some = "no class" if not found else f"{len(found)} classes"
        raise BootError(f"{file} has {some} that derives from {base.__name__}: write one")
    return found[0]


def run_program(user: User, source: str, file: str) -> int:
    """Be a student's program: lock this process in, load the file, and call its `main(user)`."""
    module = _locked_in(source, file)
    main = getattr(module, "main", None)
    if not callable(main):
        raise BootError(f"{file} has no function main(user)")
    main(user)
    return os.EX_OK


def _locked_in(source: str, file: str) -> ModuleType:
    """Lock this process in, and load a student's file."""
    _import_for(source)
    tasks = _tasks() + TASKS
    confine_as_possible()
    resource.setrlimit(resource.RLIMIT_NPROC, (tasks, tasks))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (PRINTED, PRINTED))
    return _loaded(source, file)


def _tasks() -> int:
    """How many processes and threads the host has."""
    with open("/proc/loadavg", encoding="ascii") as file:
        return int(file.read().split()[3].partition("/")[2])


def _is_own(member: object, base: type) -> bool:
    return isinstance(member, type) and issubclass(member, base) and member.__module__ == MODULE


def _constructor(contract: type[Service]) -> Any:
    bare = contract.__init__
    wiring = {} if bare is object.__init__ else get_type_hints(bare, include_extras=True)
    wiring.pop("return", None)
    own = [] if bare is object.__init__ else list(inspect.signature(bare).parameters.values())[1:]

    def __init__(self: Any, *, source: str, file: str, **given: Any) -> None:  # noqa: N807 (it becomes one)
        self._theirs = student_class(contract, source, file)(**given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    added = [inspect.Parameter(name, keyword, annotation=str) for name in ("source", "file")]
    parameters = [itself, *(each.replace(kind=keyword) for each in own), *added]
    __init__.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by the wiring
    __init__.__annotations__ = {**wiring, "source": str, "file": str}
    return __init__


def _forward(name: str, method: Any) -> Any:
    @functools.wraps(method)
    def forward(self: Any, *arguments: Any, **named: Any) -> Any:
        return getattr(self._theirs, name)(*arguments, **named)

    return forward


def _import_for(source: str) -> None:
    """Import what a file will, as far as it is not the student's own."""
    for name in (*_WANTED, *_imported(source)):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in _GIVEN:
            with suppress(ImportError):
                importlib.import_module(name)


def _imported(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # loading it will say so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _loaded(source: str, file: str) -> ModuleType:
    module = ModuleType(MODULE)
    module.__file__ = file
    sys.modules[MODULE] = module
    lines = source.splitlines(keepends=True)
    linecache.cache[file] = (len(source), None, lines, file)  # for tracebacks: it can't be read
    try:
        exec(compile(source, file, "exec"), vars(module))  # noqa: S102 (what this process is for)
    except SyntaxError as error:
        raise BootError(f"{file}:{error.lineno}: {error.msg}") from None
    except Exception as error:
        raise BootError(f"{file} can't be loaded: {type(error).__name__}: {error}") from error
    return module


def settings(files: Mapping[str, str]) -> dict[str, str]:
    """The settings of a subject: its source is the first file."""
    file, source = next(iter(files.items()))
    return {"source": source, "file": file}
