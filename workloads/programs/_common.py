"""What programs have in common: options, lines of text, and walking through directories."""

import getopt
import os
import stat
from collections.abc import Iterator
from typing import Final, NoReturn

from servers.filesystem import Stat
from servers.process import Process

PIECE: Final = 64 << 10
"""Bytes read and written at a time."""
USAGE: Final = 2


def options(
    process: Process, arguments: tuple[str, ...], known: str, status: int = 1
) -> tuple[dict[str, str], list[str]]:
    """Options and what is left of the arguments; ends the program if one is unknown.

    Args:
        process: the program's.
        arguments: what it was given.
        known: letters, each followed by `:` if it has a value.
        status: of a wrong use.

    Returns:
        The last value of each option that was given (empty for one without), and the rest.
    """
    try:
        found, rest = getopt.gnu_getopt(list(arguments), known)
    except getopt.GetoptError as error:
        usage(process, error.msg, status)
    return {name[1:]: value for name, value in found}, rest


def usage(process: Process, message: str, status: int = 1) -> NoReturn:
    """End the program: it was called in a wrong way."""
    process.complain(message)
    process.exit(status)


def number(process: Process, text: str, what: str = "number") -> int:
    """A whole number that was given; ends the program if it is none."""
    try:
        return int(text)
    except ValueError:
        usage(process, f"invalid {what}: '{text}'")


def with_counts(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments in which `-5` is written out as `-n5`."""
    return tuple(
        f"-n{one[1:]}" if one[:1] == "-" and one[1:].isdecimal() else one for one in arguments
    )


def text_of(data: bytes) -> str:
    """Bytes as text from which they can be had again."""
    return data.decode("utf-8", "surrogateescape")


def lines(process: Process, path: str) -> Iterator[bytes]:
    """The lines of a file, each with its end; `-` is standard input. OSError."""
    fd = 0 if path == "-" else process.open(path)
    rest = b""
    try:
        while data := process.read(fd, PIECE):
            *whole, rest = (rest + data).split(b"\n")
            yield from (line + b"\n" for line in whole)
        if rest:
            yield rest
    finally:
        if fd:
            process.close(fd)


def put(process: Process, data: bytes) -> None:
    """Write to standard output, with what is written as text in its place."""
    process.stdout.write(text_of(data))


def copy(process: Process, source: int, target: int) -> None:
    """Write all that can be read from one descriptor to another."""
    while data := process.read(source, PIECE):
        process.write_all(target, data)


def lstat(process: Process, path: str) -> Stat | None:
    """What is known of a file; None: there is none."""
    try:
        return process.files.lstat(path)
    except OSError:
        return None


def is_directory(process: Process, path: str) -> bool:
    """Whether a path leads to a directory."""
    try:
        return stat.S_ISDIR(process.files.stat(path).st_mode)
    except OSError:
        return False


def join(directory: str, name: str) -> str:
    """The path of a name in a directory."""
    return f"{directory}{name}" if directory.endswith("/") else f"{directory}/{name}"


def name_in(path: str) -> str:
    """The last name of a path."""
    return path.rstrip("/").rpartition("/")[2] or "/"


def into(process: Process, source: str, target: str) -> str:
    """Where something goes that is copied or moved to `target`: into it, if it is a directory."""
    return join(target, name_in(source)) if is_directory(process, target) else target


def ordered(process: Process, directory: str) -> list[str]:
    """The names in a directory, sorted by their bytes. OSError."""
    return sorted(process.files.listdir(directory), key=os.fsencode)


def human(size: float) -> str:
    """A size for people: 4.2K."""
    for unit in ("", "K", "M"):
        if size < 1024:
            return f"{size:.{int(bool(unit) and size < 10)}f}{unit}"
        size /= 1024
    return f"{size:.1f}G"
