"""What a report is made of; how it is shown is the business of others."""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.drawing import Figure


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; words between backticks are code."""

    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """A list of sentences."""

    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """What nobody must miss."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Lines for a terminal, or from one."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column says what each row is about.

    Attributes:
        caption: what it shows.
        headers: of the columns.
        rows: of cells.
        words: whether the cells are words, not figures.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False


Block = Text | Points | Box | Code | Table | Figure


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter.

    Attributes:
        id: as links have it.
        title: as readers have it.
        blocks: what it says, in order.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report.

    Attributes:
        title: of the page.
        about: a sentence on what it rests on.
        findings: the few figures at the head: each a value, its unit, and what it is.
        chapters: in order.
    """

    title: str
    about: str
    findings: tuple[tuple[str, str, str], ...]
    chapters: tuple[Chapter, ...]


def table(
    caption: str,
    headers: Iterable[str],
    rows: Iterable[Iterable[str]],
    *,
    words: bool = False,
) -> Table:
    """A table of anything that can be gone through."""
    return Table(caption, tuple(headers), tuple(map(tuple, rows)), words)
