"""FIFOs between users: pipes that have names, and wait for their other end."""

import errno
import os
import select
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from kernels import System, User
from servers.filesystem import FileSystem
from servers.pipes import Pipes
from servers.who import Who
from tests.conftest import Kernel, eventually

NONBLOCK = os.O_NONBLOCK


@pytest.fixture
def system(kernel: Kernel) -> Iterator[System]:
    with kernel.boot(Pipes, config={Pipes: {"pipes": 2, "ends": 3}}) as system:
        system[FileSystem].mkfifo("/p", 0o640)
        yield system


def fails(code: int, call: Callable[..., object], *arguments: object) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 (the errno says it)
        call(*arguments)
    assert caught.value.errno == code


def opened(user: User, flags: int) -> tuple[Thread, list[int]]:
    """Open it in a thread: that, and the end when there is one."""
    found: list[int] = []
    thread = Thread(target=lambda: found.append(user[Pipes].open("/p", flags)))
    thread.start()
    return thread, found


@pytest.mark.parametrize("first", [os.O_RDONLY, os.O_WRONLY])
def test_it_waits_for_its_other_end(system: System, first: int) -> None:
    with system.user() as other:
        thread, found = opened(other, first)
        eventually(lambda: system[Pipes].count() == 1)
        assert not found
        second = system[Pipes].open("/p", os.O_WRONLY if first == os.O_RDONLY else os.O_RDONLY)
        thread.join()
        source, sink = (other, system) if first == os.O_RDONLY else (system, other)
        ends = (found[0], second) if first == os.O_RDONLY else (second, found[0])
        assert sink[Pipes].write(ends[1], b"word") == 4
        sink[Pipes].close(ends[1])
        assert source[Pipes].read(ends[0], 9) == b"word"
        assert source[Pipes].read(ends[0], 9) == b""
    if first == os.O_WRONLY:
        system[Pipes].close(second)
    assert system[Pipes].count() == 0


def test_without_waiting_it_is_as_on_the_host(system: System) -> None:
    pipes = system[Pipes]
    fails(errno.ENXIO, pipes.open, "/p", os.O_WRONLY | NONBLOCK)
    assert pipes.count() == 0
    source = pipes.open("/p", os.O_RDONLY | NONBLOCK)
    assert pipes.read(source, 1, False) == b"", "no writer: the end"
    assert pipes.poll(((source, select.POLLIN),), 0.0) == (), "none has gone, either"
    sink = pipes.open("/p", os.O_WRONLY | NONBLOCK)
    fails(errno.EAGAIN, pipes.read, source, 1, False)
    fails(errno.EBADF, pipes.read, sink, 1)
    fails(errno.EBADF, pipes.write, source, b"x")
    pipes.close(sink)
    assert pipes.poll(((source, select.POLLIN),), 0.0) == ((source, select.POLLHUP),)
    both = pipes.open("/p", os.O_RDWR)
    assert pipes.write(both, b"to itself") == 9
    assert pipes.read(both, 99) == b"to itself"
    fails(errno.EMFILE, lambda: [pipes.open("/p", os.O_RDWR) for _ in range(2)])


def test_who_may_open_it(system: System) -> None:
    files, pipes = system[FileSystem], system[Pipes]
    files.chmod("/p", 0o640)
    files.close(files.open("/file", os.O_CREAT | os.O_WRONLY))
    fails(errno.ENXIO, pipes.open, "/file", os.O_RDONLY)
    fails(errno.ENOENT, pipes.open, "/none", os.O_RDONLY)
    files.symlink("p", "/link")
    fails(errno.ELOOP, pipes.open, "/link", os.O_RDWR | os.O_NOFOLLOW)
    pipes.close(pipes.open("/link", os.O_RDWR))
    with system.user(uid=1000, gid=1000) as other:
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
            fails(errno.EACCES, other[Pipes].open, "/p", flags | NONBLOCK)
        files.chmod("/p", 0o604)
        other[Pipes].open("/p", os.O_RDONLY | NONBLOCK)
        fails(errno.EACCES, other[Pipes].open, "/p", os.O_RDWR)
        fails(errno.EPERM, other[FileSystem].fifo, Who(1, "x", 0, 0, ()), "/p", os.O_RDONLY)


def test_it_is_another_when_the_name_is(system: System) -> None:
    """One that has no name any more lives on, and is not taken for one that comes after it."""
    files, pipes = system[FileSystem], system[Pipes]
    old = pipes.open("/p", os.O_RDWR)
    pipes.write(old, b"old")
    files.unlink("/p")
    files.mkfifo("/p")
    new = pipes.open("/p", os.O_RDONLY | NONBLOCK)
    assert pipes.read(new, 9, False) == b""
    fails(errno.ENFILE, pipes.pipe)
    assert pipes.read(old, 9) == b"old"
    pipes.close(old)
    pipes.close(new)
    free = files.statvfs("/").f_ffree
    files.unlink("/p")
    assert files.statvfs("/").f_ffree == free + 1
    assert pipes.count() == 0


def wait_for_a_writer(user: User) -> None:
    user[Pipes].open("/p", os.O_RDONLY)


def test_who_is_killed_waits_no_more(system: System, kernel: Kernel) -> None:
    if not kernel.remote:
        pytest.skip("there is one process")
    process = system.process(wait_for_a_writer)
    eventually(lambda: system[Pipes].count() == 1)
    process.kill()
    process.join()
    eventually(lambda: system[Pipes].count() == 0)
    fails(errno.ENXIO, system[Pipes].open, "/p", os.O_WRONLY | NONBLOCK)
