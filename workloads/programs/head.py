"""head: the start of files."""

from servers.process import Process
from workloads.programs._common import PIECE, lines, number, options, put, with_counts


def main(process: Process, *arguments: str) -> int:
    """`head [-n LINES | -c BYTES | -LINES] [FILE...]`; a negative number: all but the last."""
    given, paths = options(process, with_counts(arguments), "n:c:q")
    count = number(process, given.get("n", "10"), "number of lines")
    size = number(process, given["c"], "number of bytes") if "c" in given else None
    status = 0
    for place, path in enumerate(paths or ["-"]):
        try:
            if len(paths) > 1 and "q" not in given:
                process.stdout.write(f"{chr(10) * bool(place)}==> {path} <==\n")
            if size is None:
                _lines(process, path, count)
            else:
                _bytes(process, path, size)
        except BrokenPipeError:
            raise
        except OSError as error:
            status = process.complain(f"cannot open '{path}' for reading", error)
    return status


def _lines(process: Process, path: str, count: int) -> None:
    if count == 0:
        return
    kept: list[bytes] = []
    for place, line in enumerate(lines(process, path), 1):
        if count > 0:
            put(process, line)
            if place == count:
                return
        else:
            kept.append(line)
            if len(kept) > -count:
                put(process, kept.pop(0))


def _bytes(process: Process, path: str, size: int) -> None:
    fd = 0 if path == "-" else process.open(path)
    left, kept = size, b""
    while left and (data := process.read(fd, PIECE if size < 0 else min(left, PIECE))):
        if size >= 0:
            left -= len(data)
            put(process, data)
        else:
            kept += data
            put(process, kept[:size])
            kept = kept[size:]
    if fd:
        process.close(fd)
