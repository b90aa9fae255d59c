"""Processes and pipes: what starting, waiting, signalling and passing bytes cost."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from servers.clock import Clock
from servers.console import Console
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.process import Process, ProcessManager
from workloads.workload import (
    Config,
    Operation,
    Program,
    Programs,
    equals,
    workload,
)

CONFIG: Final[Config] = {Disk: {"blocks": 4096}}
PIECE: Final = 64 << 10
TOKEN: Final = b"t"
HELPERS: Final = ("leaf", "first", "chain", "echo", "drain", "heed", "client")
"""The programs of this module, each found by its name in `FOLDER`."""
FOLDER: Final = "/processes"
FILE: Final = f"{FOLDER}/file"


def leaf(_process: Process) -> int:
    """End at once."""
    return 0


def first(_process: Process, path: str) -> int:
    """Say so, through a pipe of the host, as the child of a bare fork does."""
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, TOKEN)
    os.close(fd)
    return 0


def chain(process: Process, links: str) -> int:
    """Start the next link, and wait for it."""
    left = int(links) - 1
    if not left:
        return 0
    pid = process.spawn(f"{FOLDER}/chain", ["chain", str(left)])
    return os.waitstatus_to_exitcode(process.waitpid(pid)[1])


def echo(process: Process) -> None:
    """Write what is read, until the end."""
    while data := process.read(0, PIECE):
        process.write_all(1, data)


def drain(process: Process) -> None:
    """Read until the end."""
    while process.read(0, PIECE):
        pass


def heed(process: Process) -> None:
    """Answer each SIGUSR1 with a byte; end at the end of the input."""
    process.signal(signal.SIGUSR1, lambda _: process.write(1, TOKEN))
    process.write(1, TOKEN)
    process.read(0, 1)


def client(process: Process, calls: str) -> None:
    """For each byte that is read: look at a file so many times, and answer with a byte."""
    files, count = process.files, int(calls)
    while process.read(0, 1):
        for _ in range(count):
            files.stat(FILE)
        process.write(1, TOKEN)


@contextmanager
def machine(user: Programs) -> Iterator[Process]:
    """A process that can start the helpers; afterwards nothing of it is left."""
    files = user[FileSystem]
    files.mkdir(FOLDER)
    for name in HELPERS:
        fd = files.open(f"{FOLDER}/{name}", os.O_CREAT | os.O_WRONLY, 0o755)
        files.write(fd, f"#!twinos {__name__}:{name}\n".encode())
        files.close(fd)
    files.close(files.open(FILE, os.O_CREAT | os.O_WRONLY))
    process = Process.enter(user, "bench", {})
    try:
        yield process
    finally:
        process.leave(0)
        for name in (*HELPERS, "file"):
            files.unlink(f"{FOLDER}/{name}")
        files.rmdir(FOLDER)


def start(process: Process, name: str, *arguments: str, source: int, sink: int) -> int:
    """Start a helper that reads `source` and writes `sink`."""
    return process.spawn(
        f"{FOLDER}/{name}", [name, *arguments], descriptors={0: source, 1: sink, 2: sink}
    )


@contextmanager
def _partners(
    process: Process, name: str, *arguments: str, count: int
) -> Iterator[tuple[int, int]]:
    """Helpers in a row, each reading what the one before it writes: where to write, and to read."""
    source, first = process.pipe()
    pids = []
    for _ in range(count):
        following, sink = process.pipe()
        pids.append(start(process, name, *arguments, source=source, sink=sink))
        process.close(source)
        process.close(sink)
        source = following
    try:
        yield first, source
    finally:
        process.close(first)
        for pid in pids:
            process.waitpid(pid)
        process.close(source)


@workload("processes", config=CONFIG, extra=True)
def spawn(user: Programs, manager: ProcessManager, console: Console, clock: Clock) -> Program:
    """Start a program that ends at once, and wait for it."""
    del manager, console, clock
    with machine(user) as process:

        def once() -> int:
            return process.waitpid(process.spawn(f"{FOLDER}/leaf", ["leaf"], descriptors={}))[1]

        yield Operation(once, check=equals(0))


@contextmanager
def _host_pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


@workload("processes", config=CONFIG, extra=True)
def spawn_first(
    user: Programs, manager: ProcessManager, console: Console, clock: Clock, rest_ms: int = 20
) -> Program:
    """Start a program, until its first instruction: it says a byte through a pipe of the host.

    Between two starts the system has {rest_ms} ms, untimed; `spawn` gives it none.
    """
    del manager, console, clock
    pids: list[int] = []
    with machine(user) as process, _host_pipe() as (source, sink):
        arguments = ["first", f"/proc/{os.getpid()}/fd/{sink}"]

        def once() -> bytes:
            pids.append(process.spawn(f"{FOLDER}/first", arguments, descriptors={}))
            return os.read(source, 1)

        def rest() -> None:
            while pids:
                process.waitpid(pids.pop())
            time.sleep(rest_ms / 1000)

        yield Operation(once, check=equals(TOKEN), reset=rest)


@workload("processes", config=CONFIG, extra=True)
def host_fork(user: Programs, manager: ProcessManager, console: Console, clock: Clock) -> Program:
    """A bare fork of the host, until the child's first instruction, which says a byte: the floor.

    It is the C library's fork of the process that measures, without what Python does around it.
    """
    del user, manager, console, clock
    fork = ctypes.PyDLL(None).fork  # keeps the interpreter's lock, so the child has it
    pids: list[int] = []
    with _host_pipe() as (source, sink):

        def once() -> bytes:
            pid = fork()
            if not pid:
                os.write(sink, TOKEN)
                os._exit(0)
            pids.append(pid)
            return os.read(source, 1)

        yield Operation(once, check=equals(TOKEN), reset=lambda: _reap(pids))


def _reap(pids: list[int]) -> None:
    while pids:
        os.waitpid(pids.pop(), 0)


@workload("processes", {"exec-chain-4": {"links": 4}}, config=CONFIG, extra=True)
def exec_chain(
    user: Programs, manager: ProcessManager, console: Console, clock: Clock, links: int
) -> Program:
    """{links} programs, each started by the one before it, which waits for it; per program."""
    del manager, console, clock
    with machine(user) as process:

        def once() -> int:
            arguments = ["chain", str(links)]
            return process.waitpid(process.spawn(f"{FOLDER}/chain", arguments, descriptors={}))[1]

        yield Operation(once, check=equals(0), ops=links)


@workload(
    "processes",
    {"pipe-token": {"count": 1}, "context-ring-4": {"count": 4}},
    config=CONFIG,
    extra=True,
)
def ring(
    user: Programs, manager: ProcessManager, console: Console, clock: Clock, count: int
) -> Program:
    """A byte goes round: through {count} programs, by pipes, and back."""
    del manager, console, clock
    with machine(user) as process, _partners(process, "echo", count=count) as (sink, source):

        def once() -> bytes:
            process.write(sink, TOKEN)
            return process.read(source, 1)

        yield Operation(once, check=equals(TOKEN))


@workload("processes", config=CONFIG, extra=True)
def pipe_64k(user: Programs, manager: ProcessManager, console: Console, clock: Clock) -> Program:
    """Write 64 KiB into a pipe that another program empties."""
    del manager, console, clock
    with machine(user) as process, _partners(process, "drain", count=1) as (sink, _):
        piece = bytes(PIECE)
        yield Operation(lambda: process.write(sink, piece), check=equals(PIECE))


@workload("processes", config=CONFIG, extra=True)
def signal_latency(
    user: Programs, manager: ProcessManager, console: Console, clock: Clock
) -> Program:
    """Send a signal; its handler, in another program, answers with a byte through a pipe."""
    del manager, console, clock
    with machine(user) as process:
        source, sink = process.pipe()
        answers, told = process.pipe()
        pid = start(process, "heed", source=source, sink=told)
        process.close(source)
        process.close(told)
        process.read(answers, 1)

        def once() -> bytes:
            process.kill(pid, signal.SIGUSR1)
            return process.read(answers, 1)

        yield Operation(once, check=equals(TOKEN))
        process.close(sink)
        process.waitpid(pid)
        process.close(answers)
