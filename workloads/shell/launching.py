"""Commands as processes: programs found and started, subshells, pipelines."""

from __future__ import annotations

import base64
import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from msgspec import structs

from servers.process import Process, reason_of
from twinos import ServerDied
from twinos.codec import decoder, encode
from workloads.shell.redirection import PRIVATE, Mapping, Redirections
from workloads.shell.state import Errand, ShellFault, State
from workloads.shell.syntax import AndOr, Command, Pipeline, Sequence, Simple, Text, Word

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.shell.expansion import Expansion
    from workloads.shell.jobs import Job

R = TypeVar("R")

SHELL: Final = "/bin/sh"
ERRAND: Final = "--errand"
"""The argument after which a subshell finds what it is told."""

DEFAULT_PATH: Final = "/bin"
_EXEC: Final[Word] = (Text("exec"),)
_read_errand: Final = decoder(Errand)


def read_errand(text: str) -> Errand:
    """What a subshell was told."""
    errand: Errand = _read_errand(base64.b85decode(text))
    return errand


class Launcher:
    """Starts commands.

    Args:
        process: the shell's.
        state: its state.
        expansion: for words.
        redirections: for what follows them.
        is_ours: whether the shell itself carries out a command of that name.
    """

    def __init__(
        self,
        process: Process,
        state: State,
        expansion: Expansion,
        redirections: Redirections,
        is_ours: Callable[[str], bool],
    ) -> None:
        self._process = process
        self._state = state
        self._expansion = expansion
        self._redirections = redirections
        self._is_ours = is_ours

    def pipeline(self, job: Job, pipeline: Pipeline, mapping: Mapping, group: int) -> None:
        """Start every command of a pipeline, as processes of a job.

        Args:
            job: whose processes they are.
            pipeline: the commands.
            mapping: what the first reads and the last writes.
            group: 0: a process group of their own; -1, the shell's.
        """
        source: int | None = None
        for place, command in enumerate(pipeline.commands):
            theirs = dict(mapping)
            if source is not None:
                theirs[0] = source
            before, source, sink = source, None, None
            if place < len(pipeline.commands) - 1:
                source, sink = self.private_pipe()
                theirs[1] = sink
            self._element(job, command, theirs, group)
            for used in (before, sink):
                if used is not None:
                    self._process.close(used)

    def say(self, text: str, fd: int | None) -> None:
        """Write a line where a command would say what is wrong."""
        self._process.stdout.flush()
        if fd is not None:
            with suppress(OSError):
                self._process.write_all(fd, f"{text}\n".encode(errors="surrogateescape"))

    def private_pipe(self) -> tuple[int, int]:
        """A pipe whose ends no command inherits by accident."""
        ends = []
        for fd in self._process.pipe():
            ends.append(self._process.dup(fd, PRIVATE))
            self._process.set_inheritable(ends[-1], False)
            self._process.close(fd)
        return ends[0], ends[1]

    def subshell(self, body: Sequence, mapping: Mapping, group: int = -1) -> int:
        """Start a shell that carries out a list; its process."""
        state = self._state
        errand = base64.b85encode(encode(Errand(state, body))).decode()
        return self._process.spawn(
            SHELL,
            [state.name, ERRAND, errand],
            environment=state.environment(),
            descriptors=mapping,
            group=group,
        )

    def program(
        self, arguments: list[str], mapping: Mapping, extra: dict[str, str], group: int
    ) -> int:
        """Start a program; its process.

        ShellFault with status 127 or 126: there is none, or it can't be executed.
        """
        environment = self._state.environment() | extra

        def spawn(path: str, arguments: list[str]) -> int:
            return self._process.spawn(
                path, arguments, environment=environment, descriptors=mapping, group=group
            )

        return self._started(spawn, arguments)

    def replace(self, arguments: list[str], mapping: Mapping) -> None:
        """Become a program. ShellFault as for `program`."""
        environment = self._state.environment()

        def become(path: str, arguments: list[str]) -> NoReturn:
            self._process.exec(path, arguments, environment=environment, descriptors=mapping)

        self._started(become, arguments)

    def _started(self, start: Callable[[str, list[str]], R], arguments: list[str]) -> R:
        path = self.find(arguments[0])
        try:
            try:
                return start(path, arguments)
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
            # A text without a first line that says who reads it is for the shell.
            return start(SHELL, ["sh", path, *arguments[1:]])
        except OSError as error:
            missing = error.errno in {errno.ENOENT, errno.ENOTDIR}
            reason = "not found" if missing else reason_of(error)
            raise ShellFault(f"{arguments[0]}: {reason}", 127 if missing else 126) from None

    def find(self, name: str) -> str:
        """The path of a program: PATH is searched for a name without a slash.

        ShellFault with status 127 or 126.
        """
        if "/" in name:
            return name
        found_but = ""
        value = self._state.get("PATH")
        for directory in (DEFAULT_PATH if value is None else value).split(":"):
            path = f"{directory or '.'}/{name}"
            if not self._is_file(path):
                continue
            if self._process.files.access(path, os.X_OK):
                return path
            found_but = path
        if found_but:
            raise ShellFault(f"{name}: Permission denied", 126)
        raise ShellFault(f"{name}: not found", 127)

    def _is_file(self, path: str) -> bool:
        try:
            return stat.S_ISREG(self._process.files.stat(path).st_mode)
        except ServerDied:
            return self._is_file(path)  # it is asked anew: a look can be repeated
        except OSError:
            return False

    def _element(self, job: Job, command: Command, mapping: Mapping, group: int) -> None:
        """Start one command of a pipeline; what goes wrong with it is said, and is its status."""
        try:
            pid = self._start(command, mapping, group if not job.group else job.group)
        except ShellFault as fault:
            self.say(f"{self._state.name}: {fault}", mapping.get(2))
            job.last, job.status = 0, fault.status
            return
        except OSError as error:
            self.say(f"{self._state.name}: Cannot fork: {reason_of(error)}", mapping.get(2))
            job.last, job.status = 0, 2
            return
        if group == 0 and not job.group:
            job.group = pid
        job.statuses[pid] = None
        job.last = pid

    def _start(self, command: Command, mapping: Mapping, group: int) -> int:
        """Start a command; its process. What opens a FIFO does that itself: it may wait."""
        if isinstance(command, Simple) and command.words:
            arguments = self._expansion.fields(command.words)
            waits = self._redirections.may_wait(command.redirects)
            is_program = bool(arguments) and not self._is_ours(arguments[0])
            if waits and is_program and not command.assignments:
                command = structs.replace(command, words=(_EXEC, *command.words))
            elif is_program and not waits:
                extra = {name: self._expansion.text(word) for name, word in command.assignments}
                opened = self._redirections.apply(command.redirects, mapping)
                try:
                    return self.program(arguments, mapping, extra, group)
                finally:
                    self._redirections.close(opened)
        lone = AndOr((("", Pipeline((command,))),))
        return self.subshell(Sequence(((lone, False),)), mapping, group)
