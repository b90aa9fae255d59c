"""Jobs: pipelines that run, in the foreground and behind it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from servers.process import Process
from workloads.shell.state import ShellFault

_QUIET: Final = frozenset([signal.SIGINT, signal.SIGPIPE])


@dataclass(eq=False)
class Job:
    """A pipeline.

    Attributes:
        number: for `%1`.
        text: what was written.
        group: its process group; 0: the shell's.
        statuses: by process; None: it runs.
        last: the process whose status is the job's; 0: it could not be started.
        status: the status, if it could not.
        stopped: the signal that stopped it; 0: it runs.
        told: whether its state is known at the terminal.
    """

    number: int
    text: str
    group: int = 0
    statuses: dict[int, int | None] = field(default_factory=dict)
    last: int = 0
    status: int = 0
    stopped: int = 0
    told: bool = False

    @property
    def done(self) -> bool:
        """Whether all its processes have ended."""
        return None not in self.statuses.values()

    @property
    def exit_status(self) -> int:
        """`$?` of it."""
        if self.stopped:
            return 128 + self.stopped
        return self.status if not self.last else self.statuses.get(self.last) or 0

    def describe(self) -> str:
        """What `jobs` says of it."""
        if self.stopped:
            return "Stopped"
        if not self.done:
            return "Running"
        status = self.exit_status
        if status > 128 and (text := signal.strsignal(status - 128)):
            return text
        return f"Done({status})" if status else "Done"


class Jobs:
    """All of a shell's.

    Args:
        process: the shell's.
        interrupted: told when somebody pressed Ctrl-C while a job was waited for.
    """

    def __init__(self, process: Process, interrupted: Callable[[Job], None]) -> None:
        self._process = process
        self._interrupted = interrupted
        self._jobs: dict[int, Job] = {}
        self.foreground: Job | None = None
        self.keys: list[int] = []
        self.watches_stops = False
        self._has_terminal: int | None = None

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def new(self, text: str) -> Job:
        """A job without processes yet."""
        number = max(self._jobs, default=0) + 1
        return Job(number, text)

    def keep(self, job: Job) -> None:
        """It goes on in the background."""
        self._jobs[job.number] = job

    def wait(self, job: Job) -> int:
        """Wait until a job has ended or stopped; `$?`."""
        self.foreground, before = job, self.foreground
        try:
            self.pass_keys()
            self.give_terminal(job.group)
            return self._wait(job)
        finally:
            self.foreground = before
            self.give_terminal(0)

    def give_terminal(self, group: int) -> None:
        """Let a group have the terminal, where jobs are controlled; 0: none, until the next one.

        As long as there has been no job behind another one, anybody may have it.
        """
        if not self.watches_stops or group == self._has_terminal:
            return
        if group == self._process.pid or self._has_terminal is not None:
            with suppress(OSError):  # it is no terminal; or the group has just ended
                self._process.tcsetpgrp(0, group)
                self._has_terminal = group

    def take_terminal(self) -> None:
        """The shell reads now: nobody else is to, if there is somebody else."""
        if self._jobs:
            self.give_terminal(self._process.pid)

    def leave_terminal(self) -> None:
        """The shell has read a line."""
        if self._has_terminal == self._process.pid:
            self.give_terminal(0)

    def pass_keys(self) -> None:
        """Send the signals of keys to the job in the foreground, or keep them till there is one."""
        job = self.foreground
        while job is not None and job.group and self.keys:
            with suppress(OSError):
                self._process.kill(-job.group, self.keys.pop(0))

    def _wait(self, job: Job) -> int:
        options = os.WUNTRACED if self.watches_stops else 0
        job.stopped = 0
        while not job.done and not job.stopped:
            running = next(pid for pid, status in job.statuses.items() if status is None)
            try:
                pid, status = self._process.waitpid(running, options)
            except KeyboardInterrupt:
                self._interrupted(job)
                continue
            except ChildProcessError:
                job.statuses[running] = 127
                continue
            self._note(pid, status, job)
        if job.stopped:
            self.keep(job)
        elif job.number in self._jobs and self._jobs[job.number] is job:
            del self._jobs[job.number]
        return job.exit_status

    def look(self) -> None:
        """Take down what has happened to jobs behind our back."""
        while self._jobs:
            options = os.WNOHANG | os.WUNTRACED | os.WCONTINUED
            try:
                pid, status = self._process.waitpid(-1, options)
            except ChildProcessError:
                return
            if not pid:
                return
            for job in self._jobs.values():
                self._note(pid, status, job)

    def forget(self, job: Job) -> None:
        """Nobody will ask for it again."""
        self._jobs.pop(job.number, None)

    def of_process(self, pid: int) -> Job | None:
        """The job that a process belongs to."""
        return next((job for job in self if pid in job.statuses), None)

    def find(self, name: str) -> Job:
        """The job called `%1`, `%%`, `%+`, `%-` or `%text`. ShellFault."""
        jobs = list(self._jobs.values())
        wanted = name[1:]
        if wanted.isdecimal() and int(wanted) in self._jobs:
            return self._jobs[int(wanted)]
        if wanted in {"", "%", "+"} and jobs:
            return jobs[-1]
        if wanted == "-" and len(jobs) > 1:
            return jobs[-2]
        found = [job for job in jobs if wanted and job.text.startswith(wanted)]
        if len(found) != 1:
            raise ShellFault(f"No such job: {name}", status=1)
        return found[0]

    def _note(self, pid: int, status: int, job: Job) -> None:
        if pid not in job.statuses:
            return
        job.told = False
        if os.WIFSTOPPED(status):
            job.stopped = os.WSTOPSIG(status)
        elif os.WIFCONTINUED(status):
            job.stopped = 0
        else:
            job.statuses[pid] = shell_status(status)


def shell_status(status: int) -> int:
    """`$?` for a status of waitpid(2)."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def last_words(status: int) -> str:
    """What is said of a command that a signal ended; nothing, if that is common."""
    number = status - 128
    if number <= 0 or number in _QUIET:
        return ""
    return signal.strsignal(number) or f"Signal {number}"
