"""Versions: other code for a service that runs, and whether it means the same to who knows it.

What clients and neighbours know of a service is the class that the system was booted with, its
*contract*; its operations have their numbers and shapes, its constructor is its privilege. New code
may be anything that keeps to that.
"""

import enum
import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from kernels import portable
from twinos import ContractError, Op, Service, UpdateError, WiringError, operations
from twinos.errors import describe
from twinos.settings import check_config
from twinos.values import type_name
from twinos.wiring import Needs, dependencies, needs, privileges

_OURS: Final = ("kernels", "twinos")


class Code(NamedTuple):
    """Where a class is found.

    Attributes:
        module: its module.
        file: the module's file, for who can't import it by name; or nothing.
        name: its qualified name; empty: the service's own.
        anew: whether to import the module anew: it has other contents than when it was imported.
    """

    module: str
    file: str
    name: str
    anew: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.name}" if self.name else self.module


def code_of(given: object) -> Code:
    """Where to find new code, said as a class, or as text: MODULE, FILE.py or either with :CLASS.

    Raises:
        UpdateError: there is no such module, or it has no name to be found by.
    """
    if isinstance(given, type) and issubclass(given, Service):
        if "<" in given.__qualname__:
            text = f"{given.__qualname__} is defined inside a function: a server can't find it"
            raise UpdateError(text)
        file = getattr(sys.modules.get(given.__module__), "__file__", None)
        return Code(given.__module__, file or "", given.__qualname__, anew=False)
    if not isinstance(given, str):
        raise UpdateError(f"new code is a service's class or the name of a module, not {given!r}")
    module, _, name = given.partition(":")
    if module.endswith(".py"):
        path = Path(module).resolve()
        if not path.is_file():
            raise UpdateError(f"there is no file {module}")
        return Code(path.stem, str(path), name, anew=True)
    return Code(module, _file_of(module), name, anew=True)


def _file_of(module: str) -> str:
    if module.split(".", maxsplit=1)[0] in _OURS:
        raise UpdateError(f"{module} is the kernels': it has no services")
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        spec = None
    here = Path(module.replace(".", "/") + ".py").resolve()
    if (spec is None or not spec.origin) and module and here.is_file():
        return str(here)  # as `python -m` finds it
    if spec is None or not spec.origin:
        raise UpdateError(f"there is no module {module!r} where Python looks, nor here")
    return spec.origin


def load(code: Code, contract: type[Service], given: Mapping[str, Any]) -> type[Service]:
    """The class, found and checked. For a process that has no other use than to run it.

    Args:
        code: where it is.
        contract: the class that clients know.
        given: the service's settings.

    Raises:
        UpdateError: it can't be found, or doesn't keep to the contract.
    """
    try:
        found: Any = _module(code)
        for part in (code.name or contract.__name__).split("."):
            found = getattr(found, part)
    except AttributeError:
        name = code.name or contract.__name__
        raise UpdateError(f"{code.module} has no {name}") from None
    except (Exception, SystemExit) as error:
        raise UpdateError(f"{code.module} can't be imported: {describe(error)}") from error
    if not (isinstance(found, type) and issubclass(found, Service)):
        raise UpdateError(f"{code} is no service")
    try:
        check(found, contract)
        check_config((found,), {found: settings_for(found, given)})
    except (ContractError, WiringError) as error:
        raise UpdateError(str(error)) from error
    return found


def settings_for(code: type[Service], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a service's settings that this version of it has."""
    known = needs(code).settings
    return {name: value for name, value in given.items() if name in known}


def _module(code: Code) -> Any:
    if not code.anew:
        return portable.module(code.module, code.file or None)
    sys.dont_write_bytecode = True  # of a file that changes twice in a second it would be wrong
    importlib.invalidate_caches()
    below = f"{code.module}."
    for name in [name for name in sys.modules if name == code.module or name.startswith(below)]:
        del sys.modules[name]
    spec = _spec(code)
    if spec is None or spec.loader is None:
        raise UpdateError(f"there is no module {code.module!r}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[code.module] = module
    spec.loader.exec_module(module)
    return module


def _spec(code: Code) -> ModuleSpec | None:
    """How to load it: as what it is called, if that leads to the file that is meant."""
    try:
        spec = importlib.util.find_spec(code.module)
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.origin == code.file:
        return spec
    below = [os.path.dirname(code.file)] if code.file.endswith("__init__.py") else None
    return importlib.util.spec_from_file_location(
        code.module, code.file, submodule_search_locations=below
    )


def implemented(code: type[Service], contract: type[Service]) -> dict[str, Op]:
    """The operations of a contract as a version has them: with the contract's numbers."""
    if code is contract:
        return dict(operations(contract))
    have = operations(code)
    return {
        name: replace(have[name], number=said.number, service=said.service)
        for name, said in operations(contract).items()
    }


def check(code: type[Service], contract: type[Service]) -> None:
    """Whether clients of `contract` may be served by `code`, with what it is given and no more.

    Raises:
        UpdateError: not so, and why.
    """
    have = operations(code)
    for name, said in operations(contract).items():
        if name not in have:
            raise UpdateError(f"{code.__name__} has no operation {name}, which clients may ask for")
        _check_operation(have[name], said)
    _check_needs(code, contract)


def _check_operation(new: Op, said: Op) -> None:
    if [p.name for p in new.parameters] != [p.name for p in said.parameters] or (
        [shape(each) for each in (*new.types, new.result)]
        != [shape(each) for each in (*said.types, said.result)]
    ):
        raise UpdateError(f"clients say {said.signature()}, the new code {new.signature()}")
    if (new.idempotent, new.repeatable) != (said.idempotent, said.repeatable):
        raise UpdateError(f"clients and the new code differ on whether {said.name} may be repeated")


def _check_needs(code: type[Service], contract: type[Service]) -> None:
    new, old = needs(code), needs(contract)
    for callee in dependencies(code):
        more = privileges(code, callee) - privileges(contract, callee)
        if more:
            raise UpdateError(f"the new code calls {callee.__name__}.{min(more)}: it may not")
    for what, now, then in (
        ("regions", set(new.regions), set(old.regions)),
        ("tasks", {*new.tasks[:1]} and {""}, {*old.tasks[:1]} and {""}),
        ("a device", {*new.lines[:1]} and {""}, {*old.lines[:1]} and {""}),
        ("a mailbox", _conversations(new), _conversations(old)),
    ):
        if not now <= then:
            raise UpdateError(f"the new code asks for {what} that it was not given")
    if _kept(new) != _kept(old):
        raise UpdateError(f"the state is kept {_kept(old)}; by the new code {_kept(new)}")


def _conversations(asked: Needs) -> set[str]:
    return {conversation.__name__ for conversation in asked.mailboxes.values()}


def _kept(asked: Needs) -> str:
    if not asked.journal:
        return "nowhere"
    return f"in a journal of {asked.recording.name.lower().removesuffix('s')}s"


def shape(annotation: Any) -> Any:
    """What a value of a type looks like in a message: two types of one shape can't be told apart.

    The classes of a module that was imported anew are others than before, with the same shapes.
    """
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ("enum", tuple(sorted(member.value for member in annotation)))
    if hasattr(annotation, "_fields"):
        hints = get_type_hints(annotation)
        return ("record", tuple((name, shape(hints[name])) for name in annotation._fields))
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        fields = msgspec.structs.fields(annotation)
        return ("struct", tuple((field.encode_name, shape(field.type)) for field in fields))
    arguments = get_args(annotation)
    if not arguments:
        return type_name(annotation)
    if get_origin(annotation) is Annotated:
        return shape(arguments[0])
    return (type_name(get_origin(annotation)), tuple(map(shape, arguments)))
