"""Programs for test_process.py. At the top of a module: program files name them."""

import os
import signal
import time

from servers.memory import PROT_READ, PROT_WRITE
from servers.process import Process

MODULE = __name__


def exits(process: Process, status: str) -> int:
    del process
    return int(status)


def leaves(process: Process, status: str) -> None:
    process.stdout.write("leaving\n")
    process.exit(int(status))


def says(process: Process, *arguments: str) -> None:
    print(*arguments, process.environ.get("WORD", ""))  # noqa: T201 (a program's own output)
    assert process.manager.getpid() == process.pid


def where(process: Process) -> None:
    process.stdout.write(process.files.getcwd())


def copies(process: Process) -> None:
    while data := process.read(0, 4096):
        process.write_all(1, data)


def copies_alone(process: Process) -> None:
    """In a session of its own: nobody there could have it go on, were it stopped."""
    process.manager.setsid()
    copies(process)


def fails(process: Process) -> None:
    del process
    raise LookupError("in a program")


def misses(process: Process) -> None:
    process.open("/missing")


def crashes(process: Process) -> None:
    del process
    os._exit(5)


def dies(process: Process) -> None:
    del process
    os.kill(os.getpid(), signal.SIGKILL)


def faults(process: Process) -> None:
    place = process.memory.mmap(4096, PROT_READ)
    process.memory.store(place, b"x")


def maps(process: Process) -> None:
    fd = process.open("/mapped", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    process.write(fd, b"by write")
    place = process.mmap(fd, 4096, PROT_READ | PROT_WRITE)
    process.memory.store(place + 3, b"store")
    process.lseek(fd, 0, os.SEEK_SET)
    process.write(1, process.read(fd, 100))
    process.files.truncate("/mapped", 0)
    process.memory.load(place, 1)


def loops(process: Process) -> None:
    process.write(1, b"ready\n")
    while True:
        pass


def sleeps(process: Process) -> None:
    process.write(1, b"ready\n")
    time.sleep(60)


def waits(process: Process) -> None:
    process.write(1, b"ready\n")
    process.sleep(60)


def catches(process: Process) -> int:
    """Count to three signals, and leave by an exception of the handler."""
    seen = []

    def handler(number: int) -> None:
        seen.append(number)
        process.write(1, f"caught {number}\n".encode())
        if len(seen) == 3:
            process.exit(42)

    process.signal(signal.SIGTERM, handler)
    process.write(1, b"ready\n")
    while True:
        process.sleep(60)


def rings(process: Process, caught: str) -> int:
    """Set an alarm; 42 if it was caught."""
    if caught == "caught":
        process.signal(signal.SIGALRM, lambda _: process.exit(42))
    process.alarm(60)
    if not 50 < process.alarm(0.01) <= 60:
        return 1
    process.sleep(60)
    return 2


def waits_for_an_alarm(process: Process) -> None:
    process.alarm(0.3)
    process.write(1, b"ready\n")
    process.sleep(60)


def rings_elsewhere(process: Process, how: str) -> int:
    """Set an alarm, and be another program, or two of them, when it comes."""
    process.alarm(0.2)
    if how == "exec":
        process.exec("/bin/waits", ["waits"])
    child = process.fork()
    if not child:
        return 0 if process.alarm(0) == 0.0 else 1  # a child has none
    _, status = process.waitpid(child)
    process.exit(status) if status else process.sleep(60)
    return 2


def has_a_child(process: Process) -> None:
    """Start a child that outlives it, and say which."""
    child = process.spawn("/bin/waits", ["waits"], descriptors={1: process.open("/null", 1)})
    process.write(1, f"{child}\n".encode())


def writes_for_ever(process: Process) -> None:
    while True:
        process.write(1, b"y\n" * 100)


def forks_for_ever(process: Process) -> int:
    """Spawn itself until that fails; how it failed."""
    for count in range(1000):
        try:
            process.spawn("/bin/waits", ["waits"], descriptors={1: 1})
        except OSError as error:
            process.write(1, f"{error.errno} after {count}\n".encode())
            return 0
    return 1


def allocates(process: Process) -> int:
    try:
        bytearray(4 << 30)
    except MemoryError:
        process.write(1, b"no memory\n")
        return 0
    return 1


def lists(process: Process) -> None:
    """Say which descriptors it has."""
    shown = [str(fd) for fd in range(64) if fd in process._open]
    process.write(1, " ".join(shown).encode())


def seeks(process: Process) -> None:
    """Move on the position of a file that it shares."""
    process.read(3, 2)


def knocks(process: Process) -> int:
    """Say whether another's process may be signalled."""
    try:
        process.kill(int(process.environ["VICTIM"]), signal.SIGTERM)
    except PermissionError:
        return 13
    return 0
