"""cat: write files one after the other."""

from servers.process import Process

PIECE = 64 << 10


def main(process: Process, *paths: str) -> int:
    """Copy each file to standard output; `-`, or no file, is standard input."""
    status = 0
    for path in paths or ("-",):
        try:
            copy(process, path)
        except BrokenPipeError:
            raise
        except OSError as error:
            status = process.complain(path, error)
    return status


def copy(process: Process, path: str) -> None:
    """Copy one file to standard output."""
    fd = 0 if path == "-" else process.open(path)
    try:
        while data := process.read(fd, PIECE):
            process.write_all(1, data)
    finally:
        if fd:
            process.close(fd)
