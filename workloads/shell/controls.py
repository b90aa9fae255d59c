"""Builtins about jobs, and `read`: what the shell does with processes and its input."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Final

from workloads.shell.commands import Builtin
from workloads.shell.interpreter import Shell
from workloads.shell.jobs import Job
from workloads.shell.state import NAME, ShellFault


def jobs(shell: Shell, _arguments: list[str]) -> int:
    """List the jobs."""
    shell.jobs.look()
    for job in shell.jobs:
        shell.process.stdout.write(f"[{job.number}] {job.describe():<12} {job.text}\n")
        if job.done:
            shell.jobs.forget(job)
    return 0


def fg(shell: Shell, arguments: list[str]) -> int:
    """Go on with a job in the foreground."""
    job = shell.jobs.find(arguments[0] if arguments else "%%")
    shell.process.stdout.write(f"{job.text}\n")
    shell.process.stdout.flush()
    _go_on(shell, job)
    return shell.wait(job)


def bg(shell: Shell, arguments: list[str]) -> int:
    """Go on with a job in the background."""
    for name in arguments or ["%%"]:
        job = shell.jobs.find(name)
        _go_on(shell, job)
        shell.process.stdout.write(f"[{job.number}] {job.text}\n")
    return 0


def _go_on(shell: Shell, job: Job) -> None:
    job.stopped = 0
    if job.group:
        shell.process.kill(-job.group, signal.SIGCONT)


def wait(shell: Shell, arguments: list[str]) -> int:
    """Wait for jobs, or processes: for all of them, if none is named."""
    if not arguments:
        for job in shell.jobs:
            if not job.stopped:
                shell.jobs.wait(job)
        return 0
    status = 0
    for name in arguments:
        if name.startswith("%"):
            job = shell.jobs.find(name)
        else:
            found = shell.jobs.of_process(_pid(name))
            if found is None:
                status = 127
                continue
            job = found
        status = shell.wait(job)
    return status


def kill(shell: Shell, arguments: list[str]) -> int:
    """Send a signal to processes or jobs; `-l` lists the signals."""
    number, names = signal.SIGTERM, list(arguments)
    if names[:1] == ["-l"]:
        return _list_signals(shell, names[1:])
    if names[:1] == ["-s"] and len(names) > 1:
        number, names = signal_of(names[1]), names[2:]
    elif names and names[0].startswith("-") and names[0] != "--":
        number, names = signal_of(names[0][1:]), names[1:]
    if names[:1] == ["--"]:
        names = names[1:]
    if not names:
        raise ShellFault("usage: kill [-s sigspec | -signum | -sigspec] [pid | job]...")
    return max([_signal(shell, name, number) for name in names])


def _signal(shell: Shell, name: str, number: signal.Signals) -> int:
    """Send a signal to a process or job; the status."""
    status = 0
    for pid in _targets(shell, name):
        try:
            shell.process.kill(pid, number)
        except OSError as error:
            status = shell.process.complain("kill", error)
        else:
            if name.startswith("%") and number in _ENDING:
                with suppress(ProcessLookupError):  # what is stopped would not notice
                    shell.process.kill(pid, signal.SIGCONT)
    return status


def _targets(shell: Shell, name: str) -> list[int]:
    if not name.startswith("%"):
        return [_pid(name)]
    job = shell.jobs.find(name)
    return [-job.group] if job.group else [p for p, s in job.statuses.items() if s is None]


def _list_signals(shell: Shell, numbers: list[str]) -> int:
    if numbers:
        number = int(numbers[0]) if numbers[0].isdecimal() else 0
        names = [signal.Signals(number - 128 if number > 128 else number).name]
    else:
        names = [each.name for each in sorted(signal.Signals) if each <= 31]
    for name in names:
        shell.process.stdout.write(f"{name.removeprefix('SIG')}\n")
    return 0


def signal_of(name: str) -> signal.Signals:
    """The signal of a name or number. ShellFault."""
    try:
        if name.isdecimal():
            return signal.Signals(int(name)) if int(name) else 0  # type: ignore[return-value]  # 0 only asks
        return signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"]
    except (KeyError, ValueError):
        raise ShellFault(f"kill: invalid signal number or name: {name}") from None


def read(shell: Shell, arguments: list[str]) -> int:
    """Read a line into variables: 1 at the end of the input."""
    raw = arguments[:1] == ["-r"]
    names = arguments[1:] if raw else arguments
    if not names:
        raise ShellFault("read: arg count")
    for name in names:
        if not NAME.fullmatch(name):
            raise ShellFault(f"read: {name}: bad variable name")
    line, ended = _line(shell, raw=raw)
    separators = shell.state.get("IFS")
    for name, value in zip(names, _cut(line, len(names), separators), strict=False):
        shell.state.put(name, value)
    return 0 if ended else 1


def _line(shell: Shell, *, raw: bool) -> tuple[list[tuple[str, bool]], bool]:
    """The letters of a line, each with whether it was escaped, and whether the line had an end."""
    data, ended = bytearray(), True
    letters: list[tuple[str, bool]] = []
    while True:
        byte = shell.process.read(0, 1)
        if not byte:
            ended = False
            break
        if byte == b"\\" and not raw:
            letters += [(letter, False) for letter in data.decode(errors="surrogateescape")]
            data.clear()
            escaped = shell.process.read(0, 1)
            if escaped != b"\n":
                letters += [(escaped.decode(errors="surrogateescape"), True)]
            continue
        if byte == b"\n":
            break
        data += byte
    letters += [(letter, False) for letter in data.decode(errors="surrogateescape")]
    return letters, ended


def _cut(line: list[tuple[str, bool]], most: int, given: str | None) -> list[str]:
    """A line cut at the letters of IFS into at most so many fields; the last has the rest."""
    cutter = _Cutter(line, " \t\n" if given is None else given)
    fields: list[str] = []
    while not cutter.at_end and len(fields) < most - 1:
        fields.append(cutter.field())
    if not cutter.at_end:
        fields.append(cutter.rest())
    return fields + [""] * (most - len(fields))


class _Cutter:
    """Takes fields from a line of letters, each with whether it was escaped."""

    def __init__(self, line: list[tuple[str, bool]], separators: str) -> None:
        self._separators = set(separators)
        self._blanks = {letter for letter in separators if letter.isspace()}
        self._line = line
        while self._line and self._is(len(self._line) - 1, self._blanks):
            self._line = self._line[:-1]
        self._place = 0
        self._skip_blanks()

    @property
    def at_end(self) -> bool:
        return self._place >= len(self._line)

    def field(self) -> str:
        """The next field; the separator after it is skipped."""
        start = self._place
        while not self.at_end and not self._is(self._place, self._separators):
            self._place += 1
        found = "".join(letter for letter, _ in self._line[start : self._place])
        self._skip_blanks()
        if self._is(self._place, self._separators):
            self._place += 1
            self._skip_blanks()
        return found

    def rest(self) -> str:
        """All that is left; if that is one field and a separator, only the field."""
        rest, start = self._line[self._place :], self._place
        found = self.field()
        if self.at_end:
            return found
        self._place = start
        return "".join(letter for letter, _ in rest)

    def _is(self, place: int, among: set[str]) -> bool:
        if not 0 <= place < len(self._line):
            return False
        letter, escaped = self._line[place]
        return not escaped and letter in among

    def _skip_blanks(self) -> None:
        while self._is(self._place, self._blanks):
            self._place += 1


def _pid(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ShellFault(f"Illegal number: {text}") from None


_ENDING: Final = frozenset([signal.SIGTERM, signal.SIGHUP])

CONTROLS: Final[dict[str, Builtin]] = {
    "bg": bg,
    "fg": fg,
    "jobs": jobs,
    "kill": kill,
    "read": read,
    "wait": wait,
}
