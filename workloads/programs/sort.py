"""sort: lines in order."""

import os
import re
from typing import Any

from servers.process import Process
from workloads.programs._common import USAGE, lines, options, put, usage

_NUMBER = re.compile(rb"\s*(-?\d*\.?\d+)")


def main(process: Process, *arguments: str) -> int:
    """`sort [-bcfnru] [-t C] [-k N[,M]] [-o FILE] [FILE...]`."""
    given, paths = options(process, arguments, "bcfnrut:k:o:", USAGE)
    found: list[bytes] = []
    for path in paths or ["-"]:
        try:
            found += [line.removesuffix(b"\n") for line in lines(process, path)]
        except OSError as error:
            process.complain(f"cannot read: {path}", error)
            return USAGE
    key = _Key(process, given)
    if "c" in given:
        return _check(process, found, key)
    # Equal keys are told apart by the whole line, as long as nothing else is asked for.
    found.sort(key=lambda line: (key(line), b"" if "u" in given else line), reverse="r" in given)
    if "u" in given:
        found = [line for at, line in enumerate(found) if not at or key(found[at - 1]) != key(line)]
    if "o" in given:
        process.dup2(process.open(given["o"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    for line in found:
        put(process, line + b"\n")
    return 0


class _Key:
    """What lines are compared by."""

    def __init__(self, process: Process, given: dict[str, str]) -> None:
        spec = given.get("k", "1")
        match = re.fullmatch(r"(\d+)(?:\.\d+)?([bfnr]*)(?:,(\d+)(?:\.\d+)?([bfnr]*))?", spec)
        if match is None or match[1] == "0":
            usage(process, f"invalid field specification '{spec}'", USAGE)
        self._first, self._last = int(match[1]), int(match[3]) if match[3] else None
        flags = (match[2] or "") + (match[4] or "")
        self._numeric = "n" in given or "n" in flags
        self._fold = "f" in given or "f" in flags
        self._blanks = "b" in given or "b" in flags
        self._separator = given["t"].encode() if "t" in given else None
        self._whole = "k" not in given

    def __call__(self, line: bytes) -> Any:
        part = line if self._whole else self._field(line)
        if self._numeric:
            match = _NUMBER.match(part)
            return float(match[1]) if match else 0.0
        part = part.lstrip() if self._blanks else part
        return part.upper() if self._fold else part

    def _field(self, line: bytes) -> bytes:
        if self._separator is not None:
            return self._separator.join(line.split(self._separator)[self._first - 1 : self._last])
        return b"".join(re.findall(rb"[ \t]*[^ \t]+", line)[self._first - 1 : self._last])


def _check(process: Process, found: list[bytes], key: _Key) -> int:
    for at in range(1, len(found)):
        if key(found[at]) < key(found[at - 1]):
            line = found[at].decode(errors="surrogateescape")
            return process.complain(f"-:{at + 1}: disorder: {line}")
    return 0
