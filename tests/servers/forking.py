"""Scripts of forks, waits, reads and pipes, carried out by a program of TwinOS or by the host.

A process and Python's `os` have the same calls by the same names, so one interpreter does both.
What each process saw goes, as one line, to a log that all share.
"""

import errno
import json
import os
import signal
import time
from contextlib import suppress
from typing import Any, Final, NoReturn, Protocol

from kernels.host import adopt_orphans
from servers.process import Process

Script = list[list[Any]]

CONTENT: Final = bytes(range(97, 123)) * 4
LOG_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class Calls(Protocol):
    """What both offer."""

    def fork(self) -> int: ...
    def waitpid(self, pid: int, options: int, /) -> tuple[int, int]: ...
    def kill(self, pid: int, signal: int, /) -> None: ...
    def open(self, path: str, flags: int = ..., mode: int = ..., /) -> int: ...
    def read(self, fd: int, length: int, /) -> bytes: ...
    def write(self, fd: int, data: bytes, /) -> int: ...
    def lseek(self, fd: int, position: int, whence: int, /) -> int: ...
    def pipe(self) -> tuple[int, int]: ...
    def dup(self, fd: int, /) -> int: ...
    def close(self, fd: int, /) -> None: ...


class Interpreter:
    """One process of a script; its children are copies of it.

    Args:
        calls: the system calls.
        file: a file, open for reading, that all share.
        log: where to write what was seen.
    """

    def __init__(self, calls: Calls, file: int, log: int) -> None:
        self._calls = calls
        self._file = file
        self._log = log
        self._name = "0"
        self._seen: list[str] = []
        self._children: list[int] = []
        self._count = 0
        self._pipes: list[list[int]] = []

    def run(self, script: Script) -> None:
        """Carry out a script."""
        for action, *arguments in script:
            try:
                result = getattr(self, f"_{action}")(*arguments)
            except OSError as error:
                result = errno.errorcode[error.errno or 0]
            self._seen.append(f"{action}={result}")

    def tell(self) -> None:
        """Write down what was seen."""
        self._calls.write(self._log, f"{self._name}: {' '.join(self._seen)}\n".encode())

    def _child(self, script: Script, status: int) -> NoReturn:
        self._name += f".{self._count}"
        self._seen, self._children, self._count = [], [], 0
        self.run(script)
        self.tell()
        if status < 0:
            self._die(-status)
        if isinstance(self._calls, Process):
            self._calls.exit(status)
        os._exit(status)

    def _die(self, number: int) -> NoReturn:
        if isinstance(self._calls, Process):
            self._calls.raise_signal(number)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        time.sleep(60)
        raise AssertionError(number)

    def _fork(self, script: Script, status: int) -> int:
        self._count += 1
        child = self._calls.fork()
        if not child:
            self._child(script, status)
        self._children.append(child)
        return self._count

    def _call(self, script: Script, status: int) -> int:
        """Fork, and wait for that child."""
        self._fork(script, status)
        _, how = self._calls.waitpid(self._children.pop(), 0)
        return os.waitstatus_to_exitcode(how)

    def _wait(self) -> int:
        """Wait for the oldest child."""
        _, how = self._calls.waitpid(self._children.pop(0) if self._children else -1, 0)
        return os.waitstatus_to_exitcode(how)

    def _reap(self) -> list[int]:
        """Wait for all children, in whatever order they end."""
        ended = []
        while self._children:
            pid, how = self._calls.waitpid(-1, 0)
            self._children.remove(pid)
            ended.append(os.waitstatus_to_exitcode(how))
        return sorted(ended)

    def _stop(self) -> int:
        """End the oldest child by a signal while it may still run, or be a zombie."""
        if self._children:
            self._calls.kill(self._children[0], signal.SIGCONT)
        return len(self._children)

    def _read(self, length: int) -> str:
        return self._calls.read(self._file, length).decode()

    def _seek(self, position: int, whence: int) -> int:
        return self._calls.lseek(self._file, position, whence)

    def _dup(self, length: int) -> str:
        """Read by another descriptor of the same."""
        other = self._calls.dup(self._file)
        try:
            return self._calls.read(other, length).decode()
        finally:
            self._calls.close(other)

    def _pipe(self) -> int:
        self._pipes.append(list(self._calls.pipe()))
        return len(self._pipes)

    def _put(self, which: int, count: int) -> int:
        """Write a little into a pipe, if somebody can still read it."""
        ends = self._ends(which)
        return self._calls.write(ends[1], b"x" * count) if ends[0] >= 0 <= ends[1] else -1

    def _get(self, which: int) -> int:
        """Close the end to write to, and read what is there: of a child, what its parent put."""
        ends = self._ends(which)
        self._shut(which, 1)
        return len(self._calls.read(ends[0], 4096)) if ends[0] >= 0 and not self._shared else -1

    def _shut(self, which: int, end: int) -> bool:
        ends = self._ends(which)
        if ends[end] < 0:
            return False
        self._calls.close(ends[end])
        ends[end] = -1
        return True

    def _ends(self, which: int) -> list[int]:
        return self._pipes[which % len(self._pipes)] if self._pipes else [-1, -1]

    @property
    def _shared(self) -> bool:
        """Whether somebody else may hold an end to write to: then a read might wait for ever."""
        return bool(self._children) or "." in self._name


def interpret(process: Process, text: str) -> int:
    """The program."""
    file, log = process.open("/forking"), process.open("/log", LOG_FLAGS)
    interpreter = Interpreter(process, file, log)
    interpreter.run(json.loads(text))
    interpreter.tell()
    return 0


def interpret_on_host(directory: str, text: str) -> None:
    """The same with the host's calls; the calling process has no more children than before."""
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        return
    status = 1
    try:
        adopt_orphans()
        root = os.fork()
        if not root:
            _interpret_here(directory, text)
        status = os.waitpid(root, 0)[1]
        with suppress(ChildProcessError):
            while os.waitpid(-1, 0):
                pass
    finally:
        os._exit(status and 1)


def _interpret_here(directory: str, text: str) -> NoReturn:
    status = 1
    try:
        file = os.open(f"{directory}/forking", os.O_RDONLY)
        log = os.open(f"{directory}/log", LOG_FLAGS, 0o666)
        interpreter = Interpreter(os, file, log)
        interpreter.run(json.loads(text))
        interpreter.tell()
        status = 0
    finally:
        os._exit(status)
