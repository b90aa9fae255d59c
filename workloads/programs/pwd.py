"""pwd: the working directory."""

from servers.process import Process


def main(process: Process, *_arguments: str) -> int:
    """`pwd`."""
    process.stdout.write(f"{process.files.getcwd()}\n")
    return 0
