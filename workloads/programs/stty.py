"""stty: what the terminal does."""

from servers.console import Console
from servers.process import Process
from workloads.programs._common import usage


def main(process: Process, *arguments: str) -> int:
    """`stty [tostop|-tostop]`: whether jobs in the background must not write."""
    if len(arguments) > 1 or (arguments and arguments[0].lstrip("-") != "tostop"):
        usage(process, f"invalid argument '{arguments[-1]}'")
    on = not arguments[0].startswith("-") if arguments else None
    now = process.service(Console).tostop(on)
    if not arguments:
        process.stdout.write("tostop\n" if now else "-tostop\n")
    return 0
