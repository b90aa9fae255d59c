"""Arguments that several commands take, and how each is refused: in one sentence."""

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from lab.refusal import Refusal, unknown

T = TypeVar("T")

REFUSED: Final = 2
"""The exit status of who asks for what there is not."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that refuses in one sentence, without its usage."""

    def error(self, message: str) -> NoReturn:
        """Refuse what was written on the command line."""
        self.exit(REFUSED, f"{self.prog}: {message.removesuffix('.')}. Try {self.prog} --help.\n")


class Intermixed(Parser):
    """A parser that takes options between what has only its place (`grade 1 --in DIR TEST`)."""

    _within = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; the base's way of intermixing comes back to here."""
        if self._within:
            return super().parse_known_args(args, namespace)
        self._within = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._within = False


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def positive(text: str) -> int:
    """A number of things, at least one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def between(low: float, high: float, what: str) -> Callable[[str], float]:
    """A number from `low` to `high`; `what` says so in the refusal."""

    def parsed(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no {what}")
        return number

    return parsed


def known(
    what: str, asked: Sequence[str] | None, choices: Collection[str], listed_by: str
) -> list[str]:
    """Those that were asked for, each once; all of them if none was.

    Raises:
        Refusal: there is no such one; the command `listed_by` lists them.
    """
    for name in asked or ():
        if name not in choices:
            raise unknown(what, name, choices, listed_by)
    return list(dict.fromkeys(asked or choices))


def some_or_all(
    what: str, names: Sequence[str] | None, found: Mapping[str, T], listed_by: str
) -> list[T]:
    """Those that are named, as often as they are; all of them for no name, or for `all`.

    Raises:
        Refusal: as for `known`.
    """
    if names is None or "all" in names:
        return list(found.values())
    known(what, names, found, listed_by)
    return [found[name] for name in names]


def writable(path: str, option: str = "") -> Path:
    """Where something is to be written; asked before it is made.

    Raises:
        Refusal: nothing can be written there.
    """
    found = Path(path)
    if found.is_dir() or not found.parent.is_dir():
        named = f"{option} {path}".strip()
        raise Refusal(f"{named}: it is a folder, or there is no folder for it.")
    return found
