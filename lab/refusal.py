"""Saying no: one clear sentence, with the nearest right name where there is one."""

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Final

CONTRACT: Final = str(Path(__file__).resolve().parent.parent / "twinos")


class Refusal(Exception):  # it is what the command line answers, not a failure of it
    """What was asked for makes no sense; the text is the sentence that the user reads.

    Ends the program with status 2.
    """


class Failure(Exception):  # as above
    """What was asked for made sense and went wrong; ends the program with status 1."""


def unknown(kind: str, name: str, known: Iterable[str], listed_by: str) -> Refusal:
    """The refusal of a name that nothing has: with a near one, or where to find the names."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    meant = f"did you mean {by_lower[near[0]]!r}?" if near else f"`{listed_by}` lists them."
    return Refusal(f"there is no {kind} {name!r}; {meant}")


def broken(what: str, error: Exception) -> Refusal:
    """The refusal of code that can't be loaded: what is wrong with it, and where."""
    text = " ".join(str(error).split())
    return Refusal(f"{what} can't be loaded: {type(error).__name__}: {text} ({_place(error)}).")


def _place(error: Exception) -> str:
    """The line at fault: not the contract's, which noticed, nor the import machinery's."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(("<", CONTRACT))]
    return f"{own[-1].filename}:{own[-1].lineno}"
