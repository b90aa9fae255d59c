"""Saying no: one clear sentence, with the nearest right name where there is one."""

import difflib
from collections.abc import Iterable


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
