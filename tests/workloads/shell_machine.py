"""A booted system whose shell is compared with the host's."""

import os
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from kernels import System
from servers.clock import Clock
from servers.console import Console
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.process import Process, ProcessManager
from tests.conftest import Kernel
from workloads import programs

SERVICES: Final = (ProcessManager, Console, Clock, MemoryManager)
DASH: Final = shutil.which("dash")
ENVIRONMENT: Final = {"PATH": "/bin", "HOME": "/tmp"}  # noqa: S108 (there is one on both)
WORK: Final = "/tmp/work"  # noqa: S108 (of TwinOS)


class Result(NamedTuple):
    """What a script left behind."""

    output: bytes
    status: int
    complained: bool


def boot(kernel: Kernel) -> System:
    for name in programs.names():  # here, once: what is forked from here has them
        import_module(f"{programs.__name__}.{name}")
    return kernel.boot(
        *SERVICES,
        config={
            Disk: {"blocks": 4096},
            MemoryManager: {"pages": 64, "page_tables": 64},
            Console: {"keep": True},
        },
    )


class Machine:
    """A system with programs, and a process in it."""

    def __init__(self, system: System) -> None:
        programs.install(system[FileSystem])
        self.process = Process.enter(system, "tests", ENVIRONMENT)

    def sh(self, script: str, *arguments: str, directory: str = WORK) -> Result:
        """Carry out a script in a directory of its own."""
        self.process.files.mkdir(WORK)
        result = self.run("sh", "-c", script, *arguments, directory=directory)
        self.run("rm", "-rf", WORK)
        return result

    def run(self, name: str, *arguments: str, directory: str = "/") -> Result:
        """Run a program."""
        process = self.process
        null = process.open("/dev/null")
        source, sink = process.pipe()
        said, errors = process.pipe()
        pid = process.spawn(
            f"/bin/{name}",
            [name, *arguments],
            descriptors={0: null, 1: sink, 2: errors},
            directory=directory,
        )
        for fd in (null, sink, errors):
            process.close(fd)
        output = self._rest(source)
        complained = bool(self._rest(said))
        _, status = process.waitpid(pid)
        return Result(output, os.waitstatus_to_exitcode(status), complained)

    def _rest(self, fd: int) -> bytes:
        data = b"".join(iter(lambda: self.process.read(fd, 1 << 16), b""))
        self.process.close(fd)
        return data


def on_host(script: str, folder: Path) -> Result:
    """The same script in the host's shell."""
    assert DASH is not None
    done = subprocess.run(
        ["sh", "-c", script],
        executable=DASH,
        cwd=folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": "/tmp", "LC_ALL": "C"},  # noqa: S108 (see above)
        timeout=30,
        check=False,
        umask=0o022,
    )
    return Result(done.stdout, done.returncode, bool(done.stderr))
