"""`twinos shell`, as its users start it."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest

from tests.conftest import PATIENCE, eventually

ROOT = Path(__file__).parents[2]
KERNELS = ("microkernel", "monolithic")


class Run(Protocol):
    def __call__(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `twinos ARGUMENTS` with `given` as its standard input."""

    def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-W", "error", "-m", "lab", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            input=given,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


@pytest.mark.parametrize("kernel", KERNELS)
def test_three_processes(run: Run, kernel: str) -> None:
    done = run("shell", "--kernel", kernel, "-c", "ls -R / | grep cat | wc -l; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 3)


def test_a_file_with_arguments(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$0" "$1" $#\nnosuch\n')
    done = run("shell", str(script), "one", "-c")
    assert (done.stdout, done.returncode) == (f"{script} one 2\n", 127)
    assert run("shell", str(tmp_path / "missing")).returncode == 127


def test_standard_input_is_the_keyboard(run: Run) -> None:
    done = run("shell", "-c", "cat; echo end", given="typed\n")
    assert done.stdout == "typed\nend\n"
    done = run("shell", given="echo from the input\nfalse\n")
    assert (done.stdout, done.returncode) == ("from the input\n", 1)


def test_a_reader_that_has_seen_enough() -> None:
    command = [sys.executable, "-m", "lab", "shell", "-c", "yes; echo no >&2"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as shell:
        assert shell.stdout is not None
        assert shell.stderr is not None
        assert shell.stdout.readline() == b"y\n"
        shell.stdout.close()
        assert shell.stderr.read() == b"no\n"
        assert shell.wait() == 0


def test_it_leaves_nothing_when_it_is_told_to_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lab", "shell", "-c", "echo ready; sleep 60"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment
    ) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"ready\n"
        shell.terminate()
        assert shell.wait() == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())


def test_wrong_uses(run: Run) -> None:
    for arguments in (["--kernel", "k"], ["--image", "missing"], ["--unknown"]):
        done = run("shell", *arguments)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


def test_an_image_keeps_what_was_done(run: Run, tmp_path: Path) -> None:
    image = str(tmp_path / "image")
    assert run("image", "create", image, "--size", "2M").returncode == 0
    assert run("shell", "--image", image, "-c", "echo kept > /root/file").returncode == 0
    for kernel in KERNELS:
        done = run("shell", "--image", image, "--kernel", kernel, "-c", "cat /root/file")
        assert done.stdout == "kept\n"
    assert run("image", "check", image).returncode == 0


def test_a_crash_is_survived_by_the_microkernel(run: Run) -> None:
    script = "; ".join(f"crash {name}; ls / | wc -l" for name in SERVICES)
    done = run("shell", "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1::2] == ["4"] * len(SERVICES)
    assert all("killed by SIGSEGV" in line for line in done.stdout.splitlines()[::2])


SERVICES = ("FileSystem", "Disk", "Pipes", "ProcessManager", "Console", "Clock", "MemoryManager")


def test_a_crash_is_the_end_of_the_monolithic_kernel(run: Run) -> None:
    done = run("shell", "--kernel", "monolithic", "-c", "crash Clock; ls /")
    assert (done.stdout, done.returncode) == ("", 134)
    assert done.stderr == "kernel panic: killed by SIGSEGV\n"


def test_new_code_and_what_became_of_services(run: Run) -> None:
    update = "update FileSystem servers.filesystem; cat /a"
    done = run("shell", "-c", f"crash Disk; echo hello >/a; {update}; status")
    assert "FileSystem goes on with the code of servers.filesystem\nhello\n" in done.stdout
    lines = {words[0]: words[1:] for words in map(str.split, done.stdout.splitlines()) if words}
    assert lines["Disk"][2] == "1"
    assert lines["FileSystem"][2] == "1"
    assert lines["FileSystem"][-2:] == ["was", "replaced"]
    assert lines["Clock"][2] == "0"
    wrong = run("shell", "-c", "update Clock; update Clock nowhere; status x")
    assert wrong.stderr.count("usage") == 2
    assert "no module 'nowhere'" in wrong.stderr


def test_the_cost_of_a_command_is_counted(run: Run) -> None:
    done = run("shell", "-c", "count true; count ls /nowhere; echo $?")
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"\d+ messages of [\d,]+ bytes, \d+ switches, [\d.]+ ms", lines[-1])
    assert done.stdout == "2\n"


PROMPT = "microkernel:/# "


class Person:
    """Somebody at a terminal."""

    def __init__(self, *arguments: str, home: Path) -> None:
        self._pid, self._terminal = pty.fork()
        if not self._pid:
            os.chdir(ROOT)
            os.environ.update(HOME=str(home), TERM="dumb", PYTHONPATH=str(ROOT))
            command = [sys.executable, "-m", "lab", "shell", *arguments]
            os.execv(sys.executable, command)  # noqa: S606 (as pty has it)
        self._seen = ""

    def expect(self, text: str) -> str:
        """What is shown up to some text, which must come."""
        deadline = time.monotonic() + 3 * PATIENCE
        while text not in self._seen:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._terminal], [], [], max(left, 0))
            assert ready, f"no {text!r} in {self._seen!r}"
            self._seen += os.read(self._terminal, 4096).decode(errors="replace")
        before, _, self._seen = self._seen.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C until there is a prompt: one just before Python waits is noticed late."""
        while PROMPT not in self._seen:
            self.type("\x03")
            while PROMPT not in self._seen and select.select([self._terminal], [], [], 1)[0]:
                self._seen += os.read(self._terminal, 4096).decode(errors="replace")
        self.expect(PROMPT)

    def command(self, text: str) -> str:
        """What is shown for a line, up to the next prompt."""
        self.type(f"{text}\n")
        return self.expect(PROMPT)

    def leave(self) -> int:
        """Wait for the end."""
        with suppress(OSError):
            while os.read(self._terminal, 4096):
                pass
        _, status = os.waitpid(self._pid, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """End it, if a test failed."""
        with suppress(ProcessLookupError, ChildProcessError):
            if os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                os.kill(self._pid, signal.SIGKILL)
                self.leave()


@pytest.fixture
def people() -> Iterator[list[Person]]:
    found: list[Person] = []
    yield found
    for person in found:
        person.close()


def _runs(program: str) -> bool:
    return any(name == f"twinos:{program}" for name in _names())


def _names() -> Iterator[str]:
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            yield Path(f"/proc/{entry}/comm").read_text().strip()


def test_a_session(people: list[Person], tmp_path: Path) -> None:
    person = Person(home=tmp_path)
    people.append(person)
    person.expect(PROMPT)
    person.type("echo one; sleep 60\n")
    person.expect("one\r\n")
    eventually(lambda: _runs("sleep"))
    person.interrupt()  # the command, and not the shell
    person.type("echo $?\n")
    person.expect("\n130\r\n")
    person.expect(PROMPT)
    person.type("half a line")
    person.expect("half a line")
    person.interrupt()
    person.type("for i in a b\ndo echo $i\ndone\n")
    person.expect("a\r\nb\r\n")
    person.expect(PROMPT)
    person.type("echo ready; cat\n")  # the terminal is cat's when it says so
    person.expect("\nready\r\n")
    person.type("to the keyboard\n")
    person.expect("to the keyboard\r\nto the keyboard\r\n")
    person.type("\x04")
    person.expect(PROMPT)
    person.type("sh -c 'echo going; sleep 60'\n")
    person.expect("\ngoing\r\n")
    person.type("\x1a")  # Ctrl-Z stops the command, and not the shell
    person.expect("Stopped")
    person.expect(PROMPT)
    assert "143" in person.command("kill %1; wait %1; echo $?")
    person.command("sleep 60 &")
    assert "Running" in person.command("jobs")
    assert "143" in person.command("kill %1; wait %1; echo $?")
    person.type("cd /bin\n")
    person.expect("microkernel:/bin# ")
    person.type("exit 7\n")
    assert person.leave() == 7
    assert "cd /bin" in (tmp_path / ".twinos_history").read_text()


def test_a_panic_and_a_reboot(people: list[Person], tmp_path: Path) -> None:
    person = Person("--kernel", "monolithic", home=tmp_path)
    people.append(person)
    person.expect("monolithic:/# ")
    person.type("crash FileSystem\n")
    person.expect("kernel panic: killed by SIGSEGV")
    person.expect("Reboot? [Y/n] ")
    person.type("y\n")
    person.expect("monolithic:/# ")
    person.type("ls /\n")
    person.expect("bin")
    person.expect("monolithic:/# ")
    person.type("\x04")
    assert person.leave() == 0


def test_limits_are_listed_and_set(run: Run) -> None:
    listed = run("limits").stdout
    for name in ("requests", "ProcessManager.processes", "ProcessManager.cpu", "Pipes.ends"):
        assert name in listed
    done = run("shell", "--limit", "ProcessManager.cpu=1", "-c", "yes >/dev/null; echo $?")
    assert done.stdout == "152\n"
    for wrong in ("ProcessManager.cp=1", "requests=none", "requests=0", "nonsense"):
        refused = run("shell", "--limit", wrong, "-c", "true")
        assert refused.returncode == 2
        assert "limit" in refused.stderr


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_what_hangs_can_be_crashed(run: Run, kernel: str) -> None:
    done = run("shell", "--kernel", kernel, "-c", "hang Clock; crash Clock; echo after")
    assert "Clock hangs: whoever asks it something waits." in done.stderr
    if kernel == "monolithic":
        assert (done.returncode, done.stdout) == (134, "")
        assert "kernel panic: killed by SIGSEGV" in done.stderr
    else:
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "after")
