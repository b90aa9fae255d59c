"""cat: write files one after the other."""

from servers.process import Process
from workloads.programs._common import copy, lines, options, put


def main(process: Process, *arguments: str) -> int:
    """`cat [-n] [FILE...]`; `-`, or no file, is standard input."""
    given, paths = options(process, arguments, "nu")
    status = count = 0
    for path in paths or ["-"]:
        try:
            if "n" in given:
                for line in lines(process, path):
                    count += 1
                    put(process, f"{count:6}\t".encode() + line)
            else:
                _copy(process, path)
        except BrokenPipeError:
            raise
        except OSError as error:
            status = process.complain(path, error)
    return status


def _copy(process: Process, path: str) -> None:
    fd = 0 if path == "-" else process.open(path)
    try:
        copy(process, fd, 1)
    finally:
        if fd:
            process.close(fd)
