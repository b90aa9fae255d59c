"""What every program's process does first and last: the `crt0` of TwinOS."""

import importlib
import sys
import traceback
from contextlib import suppress
from typing import Any

from servers.process.user import User
from twinos import KernelPanic, ServerDied


def run(user: User) -> int:
    """Be the program that the process manager says; its exit status."""
    from servers.process.manager import ProcessManager  # noqa: PLC0415 (which imports this)
    from servers.process.process import Process  # noqa: PLC0415 (the same)

    try:
        beginning = user[ProcessManager].begin()
    except (ProcessLookupError, ServerDied, KernelPanic):
        return 1  # the manager died, and had it started again; or all is shutting down
    process = Process(user, beginning)
    process.leave_behind(beginning.left)
    with suppress(KernelPanic, ServerDied):  # then nobody is left to be told
        status = _execute(process, beginning.program, beginning.arguments)
        process.leave(status)
        return status
    return 1


def _execute(process: Any, program: str, arguments: tuple[str, ...]) -> int:
    """Run the program's function to its end, whatever that is."""
    sys.argv = list(arguments)
    sys.stdin, sys.stdout, sys.stderr = process.stdin, process.stdout, process.stderr
    try:
        status = _call(process, program, arguments)
        for last in process.exiting:
            last()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
        with suppress(OSError):
            process.stdout.flush()
    except KernelPanic:
        raise
    except BrokenPipeError:
        status = 1  # SIGPIPE was ignored, or caught
    except BaseException as error:  # noqa: BLE001 (it ends this program, and nobody else)
        status = _report(process, error)
    return status & 0xFF


def _call(process: Any, program: str, arguments: tuple[str, ...]) -> int:
    module, _, name = program.partition(":")
    main = getattr(importlib.import_module(module), name)
    status = main(process, *arguments[1:])
    return status if isinstance(status, int) else 0


def _report(process: Any, error: BaseException) -> int:
    from servers.memory import Violation  # noqa: PLC0415 (few programs need it)

    with suppress(OSError):
        process.stdout.flush()
        if isinstance(error, Violation):
            pass  # the signal says it
        elif isinstance(error, OSError) and error.strerror:
            what = f"{error.filename}: " if error.filename else ""
            process.stderr.write(f"{process.name}: {what}{error.strerror}\n")
        elif isinstance(error, OverflowError):
            process.stderr.write(f"{process.name}: {error}\n")
        else:
            process.stderr.write("".join(traceback.format_exception(error)))
        process.stderr.flush()
    if isinstance(error, Violation):
        process.raise_signal(error.signal)
    return 1
