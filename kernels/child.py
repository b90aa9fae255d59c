"""A child of this process on the host."""

import os
import select
import signal
from contextlib import suppress


class Child:
    """A child of this process; see `kernels.system.Process`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)
        self._status: int | None = None

    def join(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit status, or minus the signal."""
        if self._status is None:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise TimeoutError(f"process {self.pid} still runs after {timeout} s")
            try:
                _, status = os.waitpid(self.pid, 0)
            except ChildProcessError:
                status = 0  # somebody else has reaped it, and knows
            self._status = os.waitstatus_to_exitcode(status)
            os.close(self._handle)
        return self._status

    def kill(self) -> None:
        """End it at once."""
        if self._status is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def end_within(self, timeout: float) -> None:
        """Wait for the end, and bring it about if it does not come."""
        try:
            self.join(timeout)
        except TimeoutError:
            self.kill()
            self.join()
