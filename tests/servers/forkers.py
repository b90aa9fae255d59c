"""Programs for test_fork.py. At the top of a module: program files name them."""

import os
import signal

from servers.memory import MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE
from servers.process import Process

RW = PROT_READ | PROT_WRITE


def twice(process: Process) -> int:
    """Both halves say who they are; the child leaves with 7."""
    parent = process.pid
    child = process.fork()
    if child == 0:
        assert process.manager.getppid() == parent
        assert process.manager.getpid() == process.pid != parent
        process.write(1, f"child {process.pid}\n".encode())
        process.exit(7)
    found, status = process.waitpid(child)
    assert (found, process.pid) == (child, parent)
    process.write(1, f"parent of {child}: {os.waitstatus_to_exitcode(status)}\n".encode())
    return 0


def returns(process: Process) -> int:
    """The child returns from main like its parent."""
    if (child := process.fork()) == 0:
        return 3
    return os.waitstatus_to_exitcode(process.waitpid(child)[1])


def shares(process: Process) -> int:
    """A position is shared; what is opened afterwards is not."""
    fd = process.open("/shared", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    process.write(fd, b"abcdef")
    process.lseek(fd, 0)
    if (child := process.fork()) == 0:
        assert process.read(fd, 2) == b"ab"
        assert process.open("/shared") == 3
        process.exit(0)
    assert process.waitpid(child)[1] == 0
    process.write(1, process.read(fd, 2))
    assert process.open("/shared") == 3
    return 0


def copies_memory(process: Process) -> int:
    """Private pages are copied when they are written to, shared ones stay shared."""
    memory = process.memory
    own = memory.mmap(8192)
    both = memory.mmap(4096, RW, MAP_SHARED | MAP_ANONYMOUS)
    memory.store(own, b"before")
    assert memory.entry(own >> 12)
    load, store = memory.load, memory.store
    if (child := process.fork()) == 0:
        assert load(own, 6) == b"before"
        store(own, b"child!")
        store(both, b"hello")
        assert load(own, 6) == b"child!"
        process.exit(0)
    assert process.waitpid(child)[1] == 0
    assert load(own, 6) == b"before"
    process.write(1, load(both, 5))
    return 0


def inherits(process: Process) -> int:
    """Working directory, umask, group, session, mask, handlers: what of it differs."""
    manager, files = process.manager, process.files
    seen: list[int] = []
    files.chdir("/bin")
    files.umask(0o27)
    process.signal(signal.SIGUSR1, seen.append)
    process.signal(signal.SIGUSR2, signal.SIG_IGN)
    manager.sigprocmask(signal.SIG_BLOCK, 1 << (signal.SIGTERM - 1))
    process.kill(process.pid, signal.SIGTERM)  # is pending here, and not in the child
    told = (manager.getpgid(0), manager.getsid(0))
    if (child := process.fork()) == 0:
        assert files.getcwd() == "/bin"
        assert files.umask(0) == 0o27
        assert (manager.getpgid(0), manager.getsid(0)) == told
        assert manager.sigpending() == 0
        process.kill(process.pid, signal.SIGUSR1)
        process.raise_signal(signal.SIGUSR2)
        process.exit(42 if seen == [signal.SIGUSR1] else 1)
    _, status = process.waitpid(child)
    assert not seen
    return os.waitstatus_to_exitcode(status)


def handles(process: Process) -> int:
    """A child that waits is woken by a handler that its parent set."""
    source, sink = process.pipe()

    def handler(number: int) -> None:
        process.write(1, f"caught {number}\n".encode())
        process.exit(9)

    process.signal(signal.SIGUSR1, handler)
    if (child := process.fork()) == 0:
        process.write(sink, b"ready")
        process.sleep(60)
        process.exit(1)
    process.read(source, 5)
    process.kill(child, signal.SIGUSR1)
    return os.waitstatus_to_exitcode(process.waitpid(child)[1])


def generations(process: Process, depth: str) -> int:
    """A child of a child of a child: each adds one to what the next left with."""
    left = int(depth)
    while left and (child := process.fork()) == 0:
        left -= 1
        if not left:
            return 0
    return os.waitstatus_to_exitcode(process.waitpid(child)[1]) + 1


def forks_for_ever(process: Process) -> int:
    """A fork bomb; how it fails."""
    count = 0
    while True:
        try:
            child = process.fork()
        except OSError as error:
            process.write(1, f"{error.errno} after {count}\n".encode())
            return 0
        if child == 0:
            process.sleep(60)
        count += 1


def replaced(process: Process, status: str) -> int:
    """Become another program, of which only the descriptors can tell."""
    process.files.chdir("/bin")
    private = process.open("/bin/twice", os.O_RDONLY | os.O_CLOEXEC)
    kept = process.open("/bin/returns")
    process.signal(signal.SIGUSR1, lambda _: None)
    process.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        process.exec("/missing", ["missing"])
    except FileNotFoundError:
        process.write(1, b"still here\n")
    process.exec(
        "/bin/replacement",
        ["replacement", str(process.pid), str(private), str(kept), status],
        environment={"WORD": "new"},
    )


def replacement(process: Process, pid: str, private: str, kept: str, status: str) -> int:
    """What comes after it."""
    assert process.pid == int(pid) == process.manager.getpid()
    assert process.environ == {"WORD": "new"}
    assert process.files.getcwd() == "/bin"
    assert process.read(int(kept), 8) == b"#!twinos"
    try:
        process.read(int(private), 1)
    except OSError as error:
        process.write(1, f"{error.strerror}\n".encode())
    assert process.manager.sigaction(signal.SIGUSR1, 0) == 0
    assert process.manager.sigaction(signal.SIGUSR2, 0) == 1
    return int(status)


def fork_and_exec(process: Process) -> int:
    """As a shell does it."""
    source, sink = process.pipe()
    if (child := process.fork()) == 0:
        process.dup2(sink, 1)
        process.close(source)
        process.close(sink)
        process.exec("/bin/prints", ["prints", "a", "b"])
    process.close(sink)
    process.write(1, b"".join(iter(lambda: process.read(source, 100), b"")))
    return os.waitstatus_to_exitcode(process.waitpid(child)[1])


def prints(process: Process, *words: str) -> int:
    process.stdout.write(" ".join(words) + "\n")
    return 5


def maps_itself(process: Process) -> int:
    """Its text is its file; it has data and a stack, which grows."""
    memory = process.memory
    text, data, stack = memory.maps()
    process.write(1, memory.load(text.start, 14) + b"\n")
    memory.store(data.start, b"data")
    memory.store(stack.start - 4096, b"deeper")
    place = memory.mmap(4096, RW, MAP_PRIVATE | MAP_ANONYMOUS)
    assert data.end <= place < stack.start
    return 0
