"""A client that starts programs, and waits for each: every one ends once, and as it was told to."""

import os
import signal
from typing import Final

from kernels import System, User
from lab.kills.client import Client
from servers.filesystem import FileSystem
from servers.process import Process

PROGRAM: Final = "/ends"
_TEXT: Final = f"#!twinos {__name__}:ends\n"


def ends(process: Process, status: str) -> int:
    """A program: end with this status, or, for a negative one, by this signal."""
    number = int(status)
    if number < 0:
        process.kill(process.pid, -number)
    return number


def enter(user: User) -> Process:
    """Make a process of a user, and see that there is the program."""
    files = user[FileSystem]
    descriptor = files.open(PROGRAM, os.O_WRONLY | os.O_CREAT, 0o755)
    files.write(descriptor, _TEXT.encode())
    files.close(descriptor)
    return Process.enter(user, "kills", {})


class ProcessClient(Client):
    """A user that is a process and has children."""

    def __init__(self, system: System, seed: str) -> None:
        super().__init__(system, "processes", seed)
        self._pids: set[int] = set()
        self._process = enter(self._user)
        self._begin()

    def leave(self) -> None:
        """Leave the system."""
        self._process.leave(0)
        super().leave()

    def _step(self) -> None:
        wanted = self._rng.choice([0, 1, 77, -signal.SIGTERM, -signal.SIGKILL])
        pid = self._process.spawn(PROGRAM, ["ends", str(int(wanted))])
        self._expect(pid not in self._pids, f"the number {pid} was given twice")
        self._pids.add(pid)
        told, status = self._process.waitpid(pid)
        self._expect(told == pid, f"it waited for {pid} and was told of {told}")
        code = os.waitstatus_to_exitcode(status)
        self._expect(code == wanted, f"{pid} ended with {code}, and was told to with {wanted}")
        try:
            self._process.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        else:
            self._wrong.append(f"{pid} was there after it had been waited for")
        self.requests += 3

    def _finish(self) -> None:
        """Each has been waited for."""

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self._wrong.append(otherwise)
