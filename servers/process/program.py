"""Program files: what stands in them, and what is started for it.

A program's file names a Python function, `#!twinos MODULE:FUNCTION`. A script names its
interpreter, `#!/bin/sh ARGUMENT`, which gets the script's path. What is neither is no
program: ENOEXEC.
"""

import errno
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from twinos import fail

HEAD: Final = 256
"""Bytes at the start of a file in which its first line must end, as under Linux."""
INTERPRETERS: Final = 4
"""Interpreters that may be scripts themselves, one of another."""

_NATIVE: Final = re.compile(r"#!\s*twinos\s+([A-Za-z_][\w.]*:[A-Za-z_]\w*)\s*")
_SCRIPT: Final = re.compile(r"#!\s*(/[^\s]*)(?:[ \t]+(.*?))?\s*")

Load = Callable[[str], bytes]
"""The start of the file at a path, if it may be executed."""


class Executable(NamedTuple):
    """What to run: a function, with which arguments, the program's name first; and its file."""

    program: str
    arguments: tuple[str, ...]
    path: str


def executable(load: Load, path: str, arguments: tuple[str, ...]) -> Executable:
    """What executing the file at `path` means.

    Raises:
        OSError: ENOEXEC: it is no program. ELOOP: too many interpreters. ENOENT, EACCES and the
            like, for it or its interpreter.
    """
    given = arguments or (path,)
    for _ in range(INTERPRETERS):
        line = load(path).partition(b"\n")[0].decode(errors="replace")
        if match := _NATIVE.fullmatch(line):
            return Executable(match[1], given, path)
        script = _SCRIPT.fullmatch(line)
        if script is None:
            raise fail(errno.ENOEXEC, path)
        interpreter, argument = script[1], script[2]
        given = (interpreter, *filter(None, (argument,)), path, *given[1:])
        path = interpreter
    raise fail(errno.ELOOP, path)
