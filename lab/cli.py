"""The command line: `twinos COMMAND ...`.

A command is a module of `lab.commands` with two functions, `configure(parser)` and
`execute(arguments)`. Only the one that is asked for is imported, so `twinos --help` is quick.
"""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from lab import origin
from lab.arguments import REFUSED, Parser
from lab.refusal import Failure, Refusal

COMMANDS: Final = {
    "bench": "time workloads under several kernels and compare",
    "report": "make runs, or take saved ones, and make a page of them",
    "compare": "what changed between two runs beyond noise",
    "ladder": "what each step from a method call to another process adds",
    "run": "run one workload once and say what it did",
    "debate": "try the claims of the debate of 1992, one by one",
    "workloads": "list the workloads, or describe one",
    "lab": "labs for a class: start, grade, release, report",
    "new": "write a service of your own, with its test and its workload",
    "replay": "price the counts of a run on machines of other years",
    "services": "list the services and their operations, or describe one",
    "paging": "run page replacement policies on reference strings, or set an exercise",
    "scheduling": "run scheduling policies on tasks and servers, or set an exercise",
    "memory": "show address spaces, frames and counters, step by step",
    "privileges": "who may call which operations, and map which regions",
    "limits": "what bounds a program, and what becomes of who wants more",
    "shell": "a shell: programs, pipes and services to use and to break",
    "top": "a live view of services, queues, processes, messages and memory",
    "trace": "show the messages of one command, as a chart or for Perfetto",
    "image": "make, fill, read, check and repair disk images",
    "cache": "write and read a file larger than the file system's caches, and see what they hold",
    "crash": "let the power fail at every write of a file system, and see what is left",
    "availability": "serve requests while services are killed, and see how many under each kernel",
    "faults": "have services go wrong, the same way under each kernel, and see what comes of it",
    "kills": "kill services under load, and see that nobody notices",
    "update": "replace the code of a service under load, and see that nobody notices",
    "endure": "have clients work for long, and see that memory and descriptors stay flat",
    "mutants": "put mistakes into a service's own code, and see who notices and what falls",
    "mount": "show a disk image as a directory of the host",
}

REQUIRED: Final = ("msgspec", "tabulate", "tqdm")

FAILED: Final = 1
INTERRUPTED: Final = 130

EXAMPLES: Final = """\
examples:
  twinos bench                        everything, both kernels, in under two minutes
  twinos bench --quick files          the file workloads, roughly
  twinos bench null --kernel microkernel --kernel hybrid:filesystem+disk
  twinos run tree-import --kernel microkernel
  twinos services FileSystem

exit status: 0 done, 1 something failed, 2 asked for what there is not, 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        the exit status.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _execute(given)
    except Refusal as refusal:
        return _say(refusal, REFUSED)
    except Failure as failure:
        return _say(failure, FAILED)
    except BrokenPipeError:
        # The reader has seen enough (`twinos workloads | head`): what is left goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return _say("interrupted.", INTERRUPTED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _say("what was to be printed could not be: no space left.", FAILED)


def _execute(given: list[str]) -> int:
    try:
        parsed = _parser(given).parse_args(given)
        status: int = parsed.execute(parsed)
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a reader that has gone is no error
    return status


def _parser(given: Sequence[str]) -> Parser:
    parser = Parser(
        prog="twinos",
        description="The same operating-system services under a monolithic kernel and a\n"
        "microkernel: what does the structure cost?",
        epilog=EXAMPLES,
        formatter_class=_layout,
    )
    parser.add_argument("-V", "--version", action="version", version=f"twinos {_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=_layout,
        )
        if name in given:
            module = _load(name)
            module.configure(command)
            command.set_defaults(execute=module.execute)
    return parser


def _load(command: str) -> Any:
    origin.check()
    try:
        return import_module(f"lab.commands.{command}")
    except ModuleNotFoundError as error:
        if error.name not in REQUIRED:
            raise
        raise Refusal(
            f"the package {error.name!r} is missing: install TwinOS with its requirements "
            "(pip install -e .)."
        ) from error


def _layout(prog: str) -> argparse.HelpFormatter:
    """Line breaks as written, and room for long options."""
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=30)


def _version() -> str:
    try:
        return version("twinos")
    except PackageNotFoundError:
        return "(a checkout that is not installed)"


def _say(message: object, status: int) -> int:
    print(f"twinos: {message}", file=sys.stderr)
    return status
