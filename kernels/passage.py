"""A passage: the source of a way through the gate, into an operation, and out again."""

from textwrap import indent
from typing import Final

from kernels.check import container, passed_on, unless_exact
from kernels.source import Piece
from twinos import Op


def passage_text(operation: Op, before: Piece, after: Piece) -> str:
    """Source that sets `result`; what it uses is in `Space.passage`."""
    passed = ", ".join(["_caller"] * operation.wants_caller + list(passed_on(operation)))
    call = f"_method({passed})"
    unless = "if _type(result) is not _container: " if container(operation.result) else ""
    return _PASSAGE.format(
        call=f"_drive({call})" if operation.waits else call,
        unless=unless or unless_exact(operation.result, "result"),
        before=indent(before.text, "    "),
        after=f"    {after.text}\n" if after.text else "",
    )


_PASSAGE: Final = """\
_enter()
try:
{before}    if _barred: _refuse(_barred)
    result = {call}
    {unless}result = _result(result)
{after}except BaseException as error:
    raise _failed(error, _operation)
finally:
    _leave(True)
"""
