"""Putting a mutant into a running service: its functions get the code of the mutated module.

Nothing is imported again and no class is made anew: each function that lives keeps its identity and
has other code from then on. It happens in the process that runs the service, at the first request
to it after the fault's cell was armed, and at once in each further life.
"""

import builtins
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from types import CodeType, FunctionType
from typing import Any

from lab.dispatch import ROOT
from lab.faults.cell import Cell
from lab.mutants.kinds import GARBAGE
from lab.mutants.mutant import MARK, Mutant, compiled
from twinos import Service, operations


def instrument(service: type[Service], mutant: Mutant, cell: Cell) -> None:
    """Have the mutant put in, in this process and those that it forks, when the cell is armed."""
    setattr(builtins, MARK, _striking(cell))
    setattr(builtins, GARBAGE, _garbage)
    replaced = list(_replacements(mutant))
    put_in = _once(cell, partial(_give_all, replaced))
    for name in ["__init__", *operations(service)]:
        setattr(service, name, _after(put_in, getattr(service, name)))


def _replacements(mutant: Mutant) -> Iterator[tuple[FunctionType, CodeType]]:
    """The functions of the module that live, and what becomes of each."""
    path = str(ROOT / mutant.path)
    codes = {_place(code): code for code in _codes(compiled(mutant))}
    for each in gc.get_objects():
        if type(each) is FunctionType and each.__code__.co_filename == path:
            code = codes.get(_place(each.__code__))
            if code is not None and code.co_freevars == each.__code__.co_freevars:
                yield each, code


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _give_all(replaced: Sequence[tuple[FunctionType, CodeType]]) -> None:
    for function, code in replaced:
        function.__code__ = code


def _once(cell: Cell, act: Callable[[], object]) -> Callable[[], None]:
    pending = [act]

    def put_in() -> None:
        if pending and cell.armed:
            pending.pop()()

    return put_in


def _after(put_in: Callable[[], None], method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def carry_out(*arguments: Any, **named: Any) -> Any:
        put_in()
        return method(*arguments, **named)

    return carry_out


def _striking(cell: Cell) -> Callable[[], None]:
    def mutant() -> None:
        if not cell.struck:
            cell.strike(time.monotonic_ns())

    return mutant


def _garbage(value: Any) -> Any:
    """Something like it that is not it; what nothing is like becomes nothing."""
    match value:
        case bool():
            return not value
        case int():
            return ~value
        case float():
            return -value - 1
        case bytes():
            return bytes(byte ^ 0xA5 for byte in value) or b"?"
        case str():
            return value[::-1] + "?"
        case tuple() if type(value) is tuple:
            return value[1:]
    return None
