"""The words of a report: they are in `prose.toml`, where they can be read and changed as prose."""

import tomllib
from functools import cache
from pathlib import Path

from lab.report.model import Box, Text


def said(place: str) -> Text:
    """The paragraph for a place."""
    return Text(words(place))


def boxed(place: str) -> Box:
    """The same, as what nobody must miss."""
    return Box(words(place))


def words(place: str) -> str:
    """The words for a place."""
    return _prose()[place].strip()


@cache
def _prose() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_name("prose.toml").read_text(encoding="utf-8"))
