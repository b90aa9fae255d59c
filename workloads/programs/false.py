"""false: end with status 1."""

from servers.process import Process


def main(_process: Process, *_arguments: str) -> int:
    """`false`."""
    return 1
