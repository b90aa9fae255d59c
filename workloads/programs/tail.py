"""tail: the end of files."""

from collections import deque

from servers.process import Process
from workloads.programs._common import PIECE, lines, number, options, put, with_counts


def main(process: Process, *arguments: str) -> int:
    """`tail [-n [+]LINES | -c [+]BYTES | -LINES] [FILE...]`; with `+`, from there on."""
    given, paths = options(process, with_counts(arguments), "n:c:q")
    status = 0
    for place, path in enumerate(paths or ["-"]):
        try:
            if len(paths) > 1 and "q" not in given:
                process.stdout.write(f"{chr(10) * bool(place)}==> {path} <==\n")
            if "c" in given:
                _bytes(process, path, given["c"])
            else:
                _lines(process, path, given.get("n", "10"))
        except BrokenPipeError:
            raise
        except OSError as error:
            status = process.complain(f"cannot open '{path}' for reading", error)
    return status


def _lines(process: Process, path: str, text: str) -> None:
    count = abs(number(process, text, "number of lines"))
    if text.startswith("+"):
        for place, line in enumerate(lines(process, path), 1):
            if place >= count:
                put(process, line)
        return
    for line in deque(lines(process, path), maxlen=count):
        put(process, line)


def _bytes(process: Process, path: str, text: str) -> None:
    size = abs(number(process, text, "number of bytes"))
    fd = 0 if path == "-" else process.open(path)
    data = b"".join(iter(lambda: process.read(fd, PIECE), b""))
    start = size - 1 if text.startswith("+") else len(data) - size
    put(process, data[max(start, 0) :])
    if fd:
        process.close(fd)
