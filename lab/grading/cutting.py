"""Starting code: the reference solution without what stands between marks.

    # >>> say what to do here
    ... the solution ...
    # <<< raise NotImplementedError

becomes

    # TODO: say what to do here
    raise NotImplementedError

So the two can't drift apart. The marks are comments in Python and in TOML alike.
"""

import re
from collections.abc import Iterator
from typing import Final

from lab.refusal import Refusal

_OPEN: Final = re.compile(r"(\s*)# >>>(?: (.*))?")
_CLOSE: Final = re.compile(r"\s*# <<<(?: (.*))?")


def cut(solution: str, name: str) -> str:
    """The starting code of a solution.

    Args:
        solution: its text.
        name: of its file, for errors.

    Raises:
        Refusal: marks do not match, or there are none.
    """
    kept = list(_kept(solution, name))
    if not any(_OPEN.fullmatch(line) for line in solution.splitlines()):
        raise Refusal(f"{name} has no marks: all of the solution would be given away.")
    return "\n".join(kept) + "\n"


def unmarked(solution: str) -> str:
    """The solution without its marks, as a student would have written it."""
    lines = solution.splitlines()
    return "\n".join(n for n in lines if not _OPEN.fullmatch(n) and not _CLOSE.fullmatch(n)) + "\n"


def _kept(solution: str, name: str) -> Iterator[str]:
    indent: str | None = None
    for number, line in enumerate(solution.splitlines(), 1):
        opens, closes = _OPEN.fullmatch(line), _CLOSE.fullmatch(line)
        if (indent is None and closes) or (indent is not None and opens):
            raise Refusal(f"{name}:{number}: this mark has no partner.")
        if opens:
            indent = opens[1]
            if opens[2]:
                yield f"{indent}# TODO: {opens[2]}"
        elif closes:
            if closes[1]:
                yield f"{indent}{closes[1]}"
            indent = None
        elif indent is None:
            yield line
    if indent is not None:
        raise Refusal(f"{name}: the last mark has no partner.")
