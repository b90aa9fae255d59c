"""The page about `os` leaves nothing out, and nothing of it is wrong."""

import os
import re
from pathlib import Path

from servers.filesystem import FileSystem
from twinos import operations

PAGE = Path(__file__).parents[2] / "docs" / "posix.md"


def test_every_function_is_an_operation_or_says_why_not() -> None:
    functions = {name for name in dir(os) if callable(getattr(os, name)) and name[0].islower()}
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    absent = set(re.findall(r"`(\w+)`", " ".join(rows)))
    there = set(operations(FileSystem))
    assert functions - there - absent == set()
    assert absent & there == set()
