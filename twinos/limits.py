"""Limits: what bounds a user, by name, with a default; and what becomes of who wants more.

A setting of a service is a limit if it says so:

    def __init__(self, most: Annotated[int, limit("things that may be kept", "ENOSPC")] = 9)
"""

from collections.abc import Mapping
from typing import NamedTuple, get_type_hints

from twinos.service import Service


class Limit(NamedTuple):
    """A mark on a setting in a constructor.

    Attributes:
        bounds: what there may be so many of.
        beyond: what becomes of one more: an errno, a signal.
    """

    bounds: str
    beyond: str


def limit(bounds: str, beyond: str) -> Limit:
    """Say of the setting that this annotates that it bounds something."""
    return Limit(bounds, beyond)


def limits(service: type[Service]) -> Mapping[str, Limit]:
    """The settings of a service that are limits."""
    names = dict(service.__names__)
    hints = get_type_hints(service.__init__, localns=names, include_extras=True)
    marks = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    found = {
        name: [mark for mark in each if isinstance(mark, Limit)] for name, each in marks.items()
    }
    return {name: each[0] for name, each in found.items() if each}
