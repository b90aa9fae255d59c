"""chmod: change permissions."""

import re
import stat
from typing import Final

from servers.process import Process
from workloads.programs._common import join, ordered, usage

_CLAUSE: Final = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)")
_SHIFTS: Final = {"u": 6, "g": 3, "o": 0}
_BITS: Final = {"r": 4, "w": 2, "x": 1}


def main(process: Process, *arguments: str) -> int:
    """`chmod [-R] MODE FILE...`; MODE is octal, or like `u+x,go-w`."""
    rest = list(arguments)
    deep = rest[:1] == ["-R"]
    if deep:
        rest.pop(0)
    if len(rest) < 2:
        usage(process, "missing operand")
    mode, *paths = rest
    process.files.umask(mask := process.files.umask(0))
    try:
        changed(mode, 0, mask, directory=False)
    except ValueError:
        usage(process, f"invalid mode: '{mode}'")
    status = 0
    for path in paths:
        status |= _change(process, path, mode, mask, deep=deep)
    return status


def _change(process: Process, path: str, mode: str, mask: int, *, deep: bool) -> int:
    try:
        old = process.files.stat(path).st_mode
    except OSError as error:
        return process.complain(f"cannot access '{path}'", error)
    is_directory = stat.S_ISDIR(old)
    new = changed(mode, stat.S_IMODE(old), mask, directory=is_directory)
    try:
        process.files.chmod(path, new)
        status = 0
        for name in ordered(process, path) if deep and is_directory else ():
            status |= _change(process, join(path, name), mode, mask, deep=True)
    except OSError as error:
        return process.complain(f"changing permissions of '{path}'", error)
    return status


def changed(mode: str, old: int, mask: int, *, directory: bool) -> int:
    """Permissions after a change. ValueError: that is none."""
    if mode.isdecimal():
        new = int(mode, 8)
        if new > 0o7777:
            raise ValueError(mode)
        return new
    for clause in mode.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise ValueError(mode)
        old = _clause(match, old, mask, directory=directory)
    return old


def _clause(match: re.Match[str], old: int, mask: int, *, directory: bool) -> int:
    who, sign, letters = match.groups()
    everybody = not who or "a" in who
    bits = sum({_BITS[letter] for letter in letters if letter in _BITS})
    if "X" in letters and (directory or old & 0o111):
        bits |= 1
    given = whole = 0
    for name, shift in _SHIFTS.items():
        if everybody or name in who:
            given |= bits << shift
            whole |= 7 << shift
    if not who:
        given &= ~mask
    if "s" in letters:
        given |= stat.S_ISUID * (everybody or "u" in who) | stat.S_ISGID * (everybody or "g" in who)
    if "t" in letters:
        given |= stat.S_ISVTX
    if sign == "+":
        return old | given
    return old & ~given if sign == "-" else old & ~whole | given
