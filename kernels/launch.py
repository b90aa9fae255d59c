"""Starting a process: the kernel proper, or a user program.

By fork from a process of one thread: quick, and whatever the caller defined is there. A process of
several threads must not fork (a lock that another thread holds would stay locked for ever in the
child), so it starts a fresh interpreter, to which classes and functions travel by name.
"""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn, TextIO

from kernels import portable
from twinos import WiringError

Main = Callable[..., int]
"""What runs in the new process: `main(connection, *arguments) -> exit status`."""

STANDARD: Final = frozenset([0, 1, 2])

_MOST_STATUS: Final = 255

FAREWELL: Final = 0.05
"""Seconds that the host may take to end a thread that Python has joined."""

_RESUME: Final = """\
import sys
sys.path[:] = {path!r}
from kernels.launch import _resume
_resume{arguments}"""


def launch(main: Main, connection: socket.socket, *arguments: Any) -> int:
    """Run `main(connection, *arguments)` in a new process; its pid, a child of this process.

    The caller keeps its own copy of `connection`.

    Raises:
        WiringError: this process has several threads, and an argument can't travel by name; or it
            is a fresh interpreter that is only importing what it is to run.
    """
    _prepare()
    if _may_fork():
        return fork(main, connection, *arguments)
    return _spawn(main, connection, arguments)


def spawn(main: Main, connection: socket.socket, *arguments: Any) -> int:
    """As `launch`, but always in a fresh interpreter: it holds nothing of this process's memory."""
    _prepare()
    return _spawn(main, connection, arguments)


def _prepare() -> None:
    """Refuse to start a process while being imported by one; leave nothing to be printed twice."""
    if portable.loading:
        raise WiringError(
            "a script that starts TwinOS when it is imported would start itself for ever: "
            "put that part under if __name__ == '__main__':"
        )
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.flush()  # or the child would write it again


def fill_standard() -> None:
    """Open /dev/null in place of a standard descriptor that is closed.

    Or the next pipe, socket or disk image would get its number, and what is printed.
    """
    for descriptor in sorted(STANDARD):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one


def fork(main: Main, *arguments: Any) -> int:
    """Run `main(*arguments)` in a child of this single-threaded process; the child's pid."""
    pid = os.fork()
    if not pid:
        _run(main, arguments)
    return pid


def _run(main: Main, arguments: Sequence[Any]) -> NoReturn:
    """Be a process that does that and no more: nothing returns, and nothing of others is undone."""
    status = os.EX_SOFTWARE
    try:
        status = _exit_status(main(*arguments))
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)  # noqa: T201 (as the interpreter does)
        status = _exit_status(stop.code)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseException:  # noqa: BLE001 (nothing may return into the parent's frames)
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, ValueError, OSError):
                stream.flush()
        os._exit(status)


def _exit_status(code: object) -> int:
    """What the host can hold of it: None is 0, what is no status is a failure."""
    if code is None:
        return os.EX_OK
    return code if isinstance(code, int) and 0 <= code <= _MOST_STATUS else 1


def thread_count() -> int:
    """Threads of this process, those that Python does not know of included."""
    return len(os.listdir("/proc/self/task"))


def _may_fork() -> bool:
    """Whether there is but one thread; one that has just been joined gets a moment to vanish."""
    deadline = time.monotonic() + FAREWELL
    while thread_count() > 1:
        if threading.active_count() > 1 or time.monotonic() > deadline:
            return False
        time.sleep(FAREWELL / 50)
    return True


def close_all_but(keep: Collection[int]) -> None:
    """Close every descriptor that is neither standard nor in `keep`."""
    for entry in os.listdir("/proc/self/fd"):
        descriptor = int(entry)
        if descriptor not in STANDARD and descriptor not in keep:
            with suppress(OSError):  # the listing's own descriptor is among them
                os.close(descriptor)


def settle() -> None:
    """Make a fresh child a process of the system: deaf to the terminal, reading nothing.

    What it inherited is frozen, so that no finalizer of the parent's objects ever runs here. What
    it prints goes to the standard descriptors: the parent may have put other files in place of
    `sys.stdout` and `sys.stderr`, whose descriptors will be somebody else's.
    """
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    gc.freeze()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would hide how a server died
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the user's: the owner shuts down
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _stream(descriptor: int) -> TextIO:
    return os.fdopen(descriptor, "w", buffering=1, errors="backslashreplace", closefd=False)


def _spawn(main: Main, connection: socket.socket, arguments: tuple[Any, ...]) -> int:
    letter = os.memfd_create("twinos:start")
    try:
        with os.fdopen(os.dup(letter), "wb") as file:
            file.write(portable.pack((main, arguments)))
        kept = (connection.fileno(), letter)
        code = _RESUME.format(path=sys.path, arguments=kept)
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001 (-W, -X, -O as given to this one)
        with _uninterrupted():
            process = subprocess.Popen([sys.executable, *flags, "-c", code], pass_fds=kept)
    finally:
        os.close(letter)
    process.returncode = 0  # whoever launched waits for the pid itself
    return process.pid


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C, also in a process that is started meanwhile, until that says otherwise."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _resume(connection: int, letter: int) -> None:
    """Go on in the fresh interpreter with what `_spawn` packed."""
    os.lseek(letter, 0, os.SEEK_SET)
    with os.fdopen(letter, "rb") as file:
        main, arguments = portable.unpack(file.read())
    os.set_inheritable(connection, False)
    with suppress(KeyboardInterrupt):  # one that came so early is not for who has just begun
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _run(main, (socket.socket(fileno=connection), *arguments))
