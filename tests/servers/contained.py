"""Programs that go astray, for test_contained.py. Top level: program files name them."""

import os
import signal
import threading

from servers.memory.layout import PAGE_SIZE
from servers.process import Process


def loops(process: Process) -> None:
    """Compute for ever."""
    process.write(1, b"ready\n")
    while True:
        pass


def heeds(process: Process) -> int:
    """The same, and leave when time is up."""
    process.signal(signal.SIGXCPU, lambda _: process.exit(42))
    process.write(1, b"ready\n")
    while True:
        pass


def hoards(process: Process) -> int:
    """Take the host's memory until there is no more."""
    process.write(1, b"ready\n")
    kept = []
    while True:
        kept.append(bytearray(16 << 20))


def maps(process: Process) -> int:
    """Take the machine's memory until there is no more; the errno."""
    process.write(1, b"ready\n")
    try:
        for _ in range(100_000):
            place = process.memory.mmap(64 * PAGE_SIZE)
            process.memory.store(place, b"x")
    except OSError as error:
        return error.errno or 1
    return 0


def breeds(process: Process) -> int:
    """Start itself again and again, as all its children do; the errno in the end."""
    process.write(1, b"ready\n")
    while True:
        try:
            process.spawn("/bin/breeds", ["breeds"])
        except OSError as error:
            process.sleep(60)
            return error.errno or 1


def floods(process: Process) -> None:
    """Ask the file system as much as it can, with every thread that it can have."""

    def ask() -> None:
        while True:
            try:
                process.files.stat("/")
            except BlockingIOError:
                continue

    process.write(1, b"ready\n")
    threading.stack_size(256 << 10)
    for _ in range(66):
        threading.Thread(target=ask, daemon=True).start()
    ask()


def raves(process: Process) -> None:
    """Write garbage into every pipe to a service that it has."""
    process.files.stat("/")
    process.write(1, b"ready\n")
    for fd in [int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2]:
        try:
            os.write(fd, os.urandom(100))
        except OSError:
            continue
    process.files.stat("/")
