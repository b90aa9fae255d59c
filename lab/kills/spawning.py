"""A client that starts programs, and waits for each: every one ends once, and as it was told to."""

import os
import random
import signal
import threading
from typing import Final

from kernels import System, User
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


class ProcessClient:
    """A user that is a process and has children.

    Args:
        system: whose user it is.
        seed: of what it does.

    Attributes:
        requests: how many requests it was told the outcome of.
        broken: the exception that ended it, if one did.
    """

    def __init__(self, system: System, seed: str) -> None:
        self._user = system.user()
        self._rng = random.Random(seed)
        self._over = threading.Event()
        self._pids: set[int] = set()
        self._wrong: list[str] = []
        self.requests = 0
        self.broken: BaseException | None = None
        self._process = enter(self._user)
        self._thread = threading.Thread(target=self._work, name="processes", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Do no more."""
        self._over.set()
        self._thread.join()

    def leave(self) -> None:
        """Leave the system."""
        self._process.leave(0)
        self._user.close()

    def wrong(self) -> list[str]:
        """What it was told and can't be; and what it should never have met."""
        found = list(self._wrong)
        if self.broken is not None:
            found.append(f"it met {type(self.broken).__name__}: {self.broken}")
        return [f"processes: {sentence}" for sentence in found]

    def _work(self) -> None:
        try:
            while not self._over.is_set():
                self._start_and_wait()
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is reported)
            self.broken = error

    def _start_and_wait(self) -> None:
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

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self._wrong.append(otherwise)
