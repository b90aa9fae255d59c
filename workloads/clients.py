"""Throughput: 1 to 8 clients look at a file, each as fast as it can.

Clients are programs, whose trap is a message under both kernels, or threads of one process, whose
trap is a call where that process is the monolithic kernel's own.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from servers.clock import Clock
from servers.console import Console
from servers.filesystem import FileSystem
from servers.process import Process, ProcessManager
from workloads.processes import CONFIG, TOKEN, machine, start
from workloads.workload import Operation, Options, Program, Programs, Users, together, workload

LOOKED_AT: Final = "/looked-at"


def _counts(name: str) -> dict[str, Options]:
    return {f"{name}-{count}": {"count": count} for count in (1, 2, 4, 8)}


@workload("processes", _counts("callers"), config=CONFIG, extra=True)
def callers(users: Users, files: FileSystem, count: int, calls: int = 100) -> Program:
    """{count} threads look at a file {calls} times each, at the same time; per look.

    They are users in one process. Under the monolithic kernel that is the kernel's own, so a trap
    is a call.
    """
    files.close(files.open(LOOKED_AT, os.O_CREAT | os.O_WRONLY))
    with ExitStack() as leaving:
        handles = [leaving.enter_context(users.user())[FileSystem] for _ in range(count)]
        yield Operation(lambda: _look(handles, calls), ops=count * calls)
    files.unlink(LOOKED_AT)


def _look(handles: Sequence[FileSystem], calls: int) -> None:
    def work(files: FileSystem) -> None:
        for _ in range(calls):
            files.stat(LOOKED_AT)

    together(partial(work, files) for files in handles)


@workload("processes", _counts("clients"), config=CONFIG, extra=True)
def clients(
    user: Programs,
    manager: ProcessManager,
    console: Console,
    clock: Clock,
    count: int,
    calls: int = 100,
) -> Program:
    """{count} programs look at a file {calls} times each, at the same time; per look."""
    del manager, console, clock
    with machine(user) as process:
        starts, ends = [], []
        answers, told = process.pipe()
        for _ in range(count):
            source, sink = process.pipe()
            ends.append(start(process, "client", str(calls), source=source, sink=told))
            process.close(source)
            starts.append(sink)
        process.close(told)
        yield Operation(lambda: _round(process, starts, answers), ops=count * calls)
        for sink in starts:
            process.close(sink)
        for pid in ends:
            process.waitpid(pid)
        process.close(answers)


def _round(process: Process, starts: Sequence[int], answers: int) -> None:
    for sink in starts:
        process.write(sink, TOKEN)
    for _ in starts:
        process.read(answers, 1)
