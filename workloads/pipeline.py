"""A pipeline of programs over a real tree: many processes, many services."""

import os
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from servers.clock import Clock
from servers.console import Console
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.pipes import Pipes
from servers.process import Process, ProcessManager
from workloads import programs
from workloads.programs import grep, ls, sort, wc
from workloads.steps import Step, perform
from workloads.tree import Tree, gather
from workloads.workload import Operation, Program, User, equals, workload

PROGRAMS: Final = (ls, grep, sort, wc)
"""Imported here, so that a process that is forked for one has it."""

ENVIRONMENT: Final = {"PATH": "/bin", "HOME": "/root"}
WORD: Final = "e"


@workload(
    "programs",
    config={Disk: {"blocks": 64 * 1024}},
    quick={"files": 50},
    macro=True,
    extra=True,
    processes=True,
)
def pipeline(
    manager: ProcessManager,
    console: Console,
    clock: Clock,
    memory: MemoryManager,
    pipes: Pipes,
    fs: FileSystem,
    user: User,
    tree: str = sysconfig.get_path("stdlib"),
    files: int = 300,
) -> Program:
    """A pipeline of four programs, each a process: ls -R /tree | grep e | sort | wc.

    Tree: {tree}, of which the first {files:,} files, in sorted order, are copied in before. Output
    and exit statuses are compared.
    """
    del manager, console, clock, memory, pipes  # programs use them; the parameters say so
    programs.install(fs)
    source = gather(Path(tree), files)
    fs.mkdir("/tree")
    for folder in source.folders:
        fs.mkdir(f"/tree/{folder}")
    perform(
        fs, [Step("create", f"/tree/{path}", data[:1000]) for path, data in source.files.items()]
    )
    process = Process.enter(user, "pipeline", ENVIRONMENT)  # type: ignore[arg-type]  # a kernel's user is one
    commands = (("ls", "-R", "/tree"), ("grep", WORD), ("sort",), ("wc",))
    yield Operation(lambda: run(process, commands), check=equals(_expected(source, len(commands))))
    process.leave(0)


def run(process: Process, commands: Sequence[Sequence[str]]) -> tuple[list[str], list[int]]:
    """Run a pipeline; the words that come out of it, and how each of its programs ended."""
    pids = []
    before = process.open("/dev/null")
    for name, *arguments in commands:
        source, sink = process.pipe()
        descriptors = {0: before, 1: sink}
        pids.append(process.spawn(f"/bin/{name}", [name, *arguments], descriptors=descriptors))
        for fd in (before, sink):
            process.close(fd)
        before = source
    output = b"".join(iter(lambda: process.read(before, 1 << 16), b""))
    process.close(before)
    return output.decode().split(), [process.waitpid(pid)[1] for pid in pids]


def _expected(tree: Tree, programs_run: int) -> tuple[list[str], list[int]]:
    """Lines, words and bytes that are left of the listing."""
    kept = [line for line in _listing(tree) if WORD in line]
    size = sum(len(os.fsencode(line)) + 1 for line in kept)
    words = sum(len(line.split()) for line in kept)
    return [str(len(kept)), str(words), str(size)], [0] * programs_run


def _listing(tree: Tree) -> Iterable[Any]:
    """The lines of `ls -R /tree`, without the empty ones."""
    for folder in ("", *tree.folders):
        yield f"/tree/{folder}:".replace("/:", ":")
        for path in (*tree.files, *tree.folders):
            if str(Path(path).parent) == (folder or "."):
                yield Path(path).name
