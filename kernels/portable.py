"""What a fresh interpreter is told: values as they are, classes and functions by name.

Nothing is pickled: a name can only lead to something that the reader can import itself.
"""

import enum
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

import msgspec

from twinos import WiringError
from twinos.codec import decoder, encode

loading: list[str] = []
"""Modules that this interpreter is importing in order to find what it is to run."""


class Named(msgspec.Struct, frozen=True, tag="named"):
    """A class or function, by module, file and qualified name."""

    module: str
    file: str | None
    name: str


class Several(msgspec.Struct, frozen=True, tag="several"):
    """A sequence."""

    items: list[Any]


class Pairs(msgspec.Struct, frozen=True, tag="pairs"):
    """A mapping."""

    items: list[Any]


class Typed(msgspec.Struct, frozen=True, tag="typed"):
    """An enum member, NamedTuple or struct: its class and its encoding."""

    cls: Named
    data: bytes


class Plain(msgspec.Struct, frozen=True, tag="plain"):
    """An int, bool, float, str, bytes or None, encoded."""

    data: bytes


Item = Named | Several | Pairs | Typed | Plain


def pack(value: Any) -> bytes:
    """Bytes from which `unpack` makes the value again, in another interpreter.

    Raises:
        WiringError: something in it has no name to be found by.
    """
    return msgspec.msgpack.encode(_describe(value))


def unpack(data: bytes) -> Any:
    """What `pack` was given; sequences come back as tuples."""
    return _restore(msgspec.msgpack.decode(data))


def _describe(value: Any) -> Item:
    if isinstance(value, type | FunctionType):
        return _name(value)
    if isinstance(value, enum.Enum | msgspec.Struct) or hasattr(value, "_fields"):
        return Typed(_name(type(value)), encode(value))
    if isinstance(value, tuple | list | set | frozenset):
        return Several([_describe(part) for part in value])
    if isinstance(value, Mapping):
        return Pairs([[_describe(key), _describe(part)] for key, part in value.items()])
    if value is None or isinstance(value, int | float | str | bytes):
        return Plain(encode(value))
    raise WiringError(f"{value!r} can't be sent to a fresh interpreter")


def _name(thing: type | FunctionType) -> Named:
    if "<" in thing.__qualname__:
        raise WiringError(
            f"{thing.__qualname__} is defined inside a function, so a fresh interpreter can't find "
            "it, and this process can't fork: define it at the top of a module"
        )
    module = sys.modules[thing.__module__]
    return Named(thing.__module__, getattr(module, "__file__", None), thing.__qualname__)


def _restore(item: Any) -> Any:
    kind = item["type"]
    if kind == "named":
        return _find(item)
    if kind == "several":
        return tuple(map(_restore, item["items"]))
    if kind == "pairs":
        return {_restore(key): _restore(part) for key, part in item["items"]}
    if kind == "typed":
        return decoder(_find(item["cls"]))(item["data"])
    plain = msgspec.msgpack.decode(item["data"])
    return decoder(str)(item["data"]) if isinstance(plain, msgspec.msgpack.Ext) else plain


def _find(item: Any) -> Any:
    found: Any = module(item["module"], item["file"])
    for part in item["name"].split("."):
        found = getattr(found, part)
    return found


def module(name: str, file: str | None) -> ModuleType:
    """The module of that name, or, as for a script, the one in that file."""
    alias = "__twinos_main__" if name == "__main__" else name
    if alias in sys.modules:
        return sys.modules[alias]
    loading.append(alias)
    try:
        return _load(alias, name, file)
    finally:
        loading.pop()


def _load(alias: str, name: str, file: str | None) -> ModuleType:
    if alias == name:
        try:
            return importlib.import_module(name)
        except ImportError:
            if file is None:
                raise
    if file is None:
        raise WiringError("what was typed at a prompt can't be sent to a fresh interpreter")
    spec = importlib.util.spec_from_file_location(alias, file)
    if spec is None or spec.loader is None:
        raise WiringError(f"{file} can't be imported")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[alias] = loaded
    spec.loader.exec_module(loaded)
    return loaded
