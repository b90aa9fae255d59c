"""sync: have all that was written on the disk."""

from servers.process import Process


def main(process: Process, *_arguments: str) -> int:
    """`sync`."""
    process.files.sync()
    return 0
