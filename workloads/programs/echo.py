"""echo: write the arguments."""

from servers.process import Process
from workloads.shell.printing import echo


def main(process: Process, *arguments: str) -> int:
    """`echo [-n] [WORD...]`."""
    process.stdout.write(echo(list(arguments)))
    return 0
