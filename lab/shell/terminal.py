"""The shell at the terminal: prompt, line editing, history, Ctrl-C, and reboots."""

import contextlib
import readline
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lab.shell.lesson import Lesson
from lab.shell.machine import Machine
from servers.process import Killed
from twinos import KernelPanic, ServerDied
from workloads.programs import names
from workloads.programs.sh import new_shell
from workloads.shell.interpreter import Shell
from workloads.shell.leaving import Leave, Loop, Return
from workloads.shell.parser import Parser
from workloads.shell.state import ShellFault, State, Variable
from workloads.shell.syntax import SyntaxFault, Unfinished

HISTORY: Final = "~/.twinos_history"
LINES: Final = 1000
PANICKED: Final = 134
"""The status of a script whose kernel panicked: that of a program that aborted."""

INTERRUPTED: Final = 130


def make_shell(machine: Machine, name: str, arguments: list[str]) -> Shell:
    """A shell on a machine, with the builtins of the lesson."""
    process = machine.process
    process.name = name
    variables = {key: Variable(value, exported=True) for key, value in process.environ.items()}
    state = State(variables, arguments=arguments, name=name, pid=process.pid)
    shell = new_shell(process, state)
    lesson = Lesson(machine)
    shell.builtins = shell.builtins | lesson.builtins
    shell.after = lesson.show_messages
    return shell


def run_script(machine: Machine, text: str, name: str, arguments: list[str]) -> int:
    """Carry out a script; its exit status."""
    shell = make_shell(machine, name, arguments)
    try:
        return shell.run(text)
    except Killed as killed:
        return 128 + killed.number
    except KernelPanic as panic:
        say(f"{panic}")
        return PANICKED


class Terminal:
    """A session.

    Args:
        machine: where it takes place.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._shell = self._new_shell()
        self._warned = False

    def _new_shell(self) -> Shell:
        shell = make_shell(self._machine, "sh", [])
        shell.interactive = shell.jobs.watches_stops = True
        return shell

    def run(self) -> int:
        """Read lines and carry them out until the end; the last status."""
        _prepare_editing(self._complete)
        for number in (signal.SIGTSTP, signal.SIGQUIT):
            signal.signal(number, self._pass_on)
        try:
            while True:
                try:
                    text = self._read()
                    if text is None:
                        break
                    self._shell.jobs.leave_terminal()
                    self._carry_out(text)
                except KernelPanic as panic:
                    if not self._reboot(panic):
                        return PANICKED
                except Leave as leave:
                    self._shell.state.status = leave.status
                    break
        finally:
            _keep_history()
        return self._shell.finish()

    def _pass_on(self, number: int, _frame: object) -> None:
        """Ctrl-Z and its like are for the job in the foreground; without one, for nobody."""
        self._shell.jobs.keys.append(number)
        self._shell.jobs.pass_keys()

    def _read(self) -> str | None:
        """What was typed, as many lines as belong together; None at the end."""
        text = ""
        while True:
            try:
                text += input(self._prompt() if not text else "> ") + "\n"
            except EOFError:
                print()
                return None if not text else ""
            except KeyboardInterrupt:
                print("^C")
                self._shell.state.status = INTERRUPTED
                text = ""
                continue
            try:
                _parse_all(text)
            except Unfinished:
                continue
            except SyntaxFault:
                return text  # it will be said where it is carried out
            return text

    def _prompt(self) -> str:
        self._tell_jobs()
        where = self._shell.state.get("PWD") or "/"
        return f"{self._machine.kernel}:{where}# "

    def _carry_out(self, text: str) -> None:
        self._shell.jobs.keys.clear()
        try:
            self._shell.source(text)
        except (ShellFault, SyntaxFault) as fault:
            self._shell.report(fault)
        except (Return, Loop):
            pass
        except Killed as killed:
            self._shell.state.status = 128 + killed.number
        except ServerDied as died:
            say(f"{died.strerror}")
            self._shell.state.status = 1
        except KeyboardInterrupt:
            print()
            self._shell.state.status = INTERRUPTED
        except BrokenPipeError:
            raise
        except OSError as error:
            say(str(error))
            self._shell.state.status = 1
        finally:
            with contextlib.suppress(OSError, KernelPanic):
                self._shell.process.stdout.flush()

    def _tell_jobs(self) -> None:
        jobs = self._shell.jobs
        with contextlib.suppress(ServerDied):
            jobs.look()
            jobs.take_terminal()
        for job in jobs:
            if job.done and not job.told:
                print(f"[{job.number}] {job.describe():<12} {job.text}")
                jobs.forget(job)

    def _reboot(self, panic: KernelPanic) -> bool:
        """Say why the kernel panicked; boot anew if that is wanted."""
        say(f"{panic}")
        try:
            answer = input("Reboot? [Y/n] ").strip().lower()
        except (EOFError, KeyboardInterrupt):
            print()
            return False
        if answer not in {"", "y", "yes"}:
            return False
        self._machine.reboot()
        self._shell = self._new_shell()
        return True

    def _complete(self, text: str, state: int) -> str | None:
        """Names of programs at the start of a line, of files elsewhere."""
        with contextlib.suppress(OSError, KernelPanic):
            choices = self._choices(text)
            return choices[state] if state < len(choices) else None
        return None

    def _choices(self, text: str) -> list[str]:
        if readline.get_begidx() == 0 and "/" not in text:
            known = {*names(), *self._shell.builtins, *self._shell.state.functions}
            return sorted(f"{name} " for name in known if name.startswith(text))
        head, slash, tail = text.rpartition("/")
        files = self._shell.process.files
        found = [name for name in files.listdir(head + slash or ".") if name.startswith(tail)]
        paths = (head + slash + name for name in found if tail or not name.startswith("."))
        return sorted(path + self._mark(path) for path in paths)

    def _mark(self, path: str) -> str:
        files = self._shell.process.files
        with contextlib.suppress(OSError):
            return "/" if files.stat(path).st_mode & 0o170000 == 0o040000 else " "
        return " "


def _parse_all(text: str) -> None:
    parser = Parser(text)
    while parser.line() is not None:
        pass


def _prepare_editing(complete: Callable[[str, int], str | None]) -> None:
    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n|&;<>()'\"$")
    readline.set_history_length(LINES)
    readline.parse_and_bind("tab: complete")
    with contextlib.suppress(OSError):
        readline.read_history_file(Path(HISTORY).expanduser())


def _keep_history() -> None:
    with contextlib.suppress(OSError):
        readline.write_history_file(Path(HISTORY).expanduser())


def say(text: str) -> None:
    """Tell the person at the terminal something that no program says."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)
