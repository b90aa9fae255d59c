"""yes: the same line for ever."""

from servers.process import Process

_LINES = 512


def main(process: Process, *arguments: str) -> int:
    """`yes [WORD...]`."""
    line = f"{' '.join(arguments) or 'y'}\n".encode(errors="surrogateescape")
    while True:
        process.write_all(1, line * _LINES)
