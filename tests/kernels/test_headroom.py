"""Users deep in recursion find out in their own code; the services that they call lose nothing."""

import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from kernels import headroom
from kernels.headroom import RESERVE
from servers.filesystem import FileSystem
from tests.conftest import KERNELS, Kernel, eventually
from tests.kernels.services import Bugs, Mailbox
from twinos import KernelPanic

R = TypeVar("R")
MONOLITHIC = KERNELS[0]


def below(calls: int, work: Callable[[], R]) -> R:
    """What `work` returns, called from so deep."""
    return work() if calls <= 0 else below(calls - 1, work)


def room() -> int:
    """How many more calls can be nested here, about."""
    return sys.getrecursionlimit() - headroom.depth()


def test_at_whatever_depth_a_request_is_whole_or_absent(kernel: Kernel) -> None:
    with kernel.boot(FileSystem) as system:
        fs = system[FileSystem]
        kept, limit = fs.open("/kept", os.O_CREAT | os.O_RDWR), sys.getrecursionlimit()
        outcomes = set()
        before = b""
        for calls in range(room() - 50, room()):
            data = f"{calls:5000}".encode()

            def write(data: bytes = data) -> None:
                fs.pwrite(kept, data, 0)
                fs.fsync(kept)

            try:
                below(calls, write)
            except RecursionError:
                outcomes.add("refused")
                assert fs.pread(kept, 5000, 0) in {before, data}
            else:
                outcomes.add("done")
                assert fs.pread(kept, 5000, 0) == data
            before = fs.pread(kept, 5000, 0)
            assert sys.getrecursionlimit() == limit
        assert outcomes == {"refused", "done"}


def test_what_nests_most_nests_half_the_reserve() -> None:
    with MONOLITHIC.boot(FileSystem) as system:
        fs = system[FileSystem]
        fs.symlink("/", "/0")
        for number in range(1, 40):
            fs.symlink(f"/{number - 1}/.", f"/{number}")
        root, limit = fs.stat("/39/."), sys.getrecursionlimit()
        for left in (RESERVE + 20, RESERVE, RESERVE // 2, 20):
            assert below(room() - left, lambda: fs.stat("/39/.")) == root
            assert sys.getrecursionlimit() == limit
        sys.setrecursionlimit(headroom.depth() + RESERVE // 2)  # so half of that: it is too little
        try:
            assert fs.stat("/39/.") == root
        finally:
            sys.setrecursionlimit(limit)


def test_who_is_deep_can_leave_and_shut_down() -> None:
    with MONOLITHIC.boot(FileSystem) as system:
        user, stat = system.user(), system[FileSystem].stat
        user[FileSystem].open("/f", os.O_CREAT | os.O_WRONLY)
        below(room() - 30, user.close)
        assert stat("/f").st_size == 0
        below(room() - 40, system.close)
        with pytest.raises(KernelPanic, match="shut down"):
            stat("/f")


def test_several_may_be_deep_at_once_and_the_limit_is_as_it_was() -> None:
    limit = sys.getrecursionlimit()
    with MONOLITHIC.boot(Mailbox) as system:
        mailbox = system[Mailbox]
        taken: list[bytes] = []

        def take() -> None:
            below(limit - headroom.depth() - 40, lambda: taken.append(mailbox.take()))

        threads = [threading.Thread(target=take) for _ in range(3)]
        for number, thread in enumerate(threads, 1):
            thread.start()
            eventually(lambda number=number: mailbox.waiting() == number)
        for number, _ in enumerate(threads, 1):
            assert sys.getrecursionlimit() == limit + RESERVE
            with pytest.raises(RecursionError, match="maximum"):  # the room is the services'
                below(room() - 40, lambda: mailbox.put(b"x"))
            below(room() - RESERVE - 40, lambda: mailbox.put(b"x"))
            eventually(lambda number=number: len(taken) == number)
        for thread in threads:
            thread.join()
    assert sys.getrecursionlimit() == limit


def test_a_limit_that_somebody_changes_stays_changed() -> None:
    limit = sys.getrecursionlimit()
    with MONOLITHIC.boot(Bugs) as system:
        null = system[Bugs].null
        null()
        try:
            sys.setrecursionlimit(limit + 500)
            below(limit + 400 - headroom.depth(), null)
            assert sys.getrecursionlimit() == limit + 500
        finally:
            sys.setrecursionlimit(limit)
        with pytest.raises(KernelPanic, match="ZeroDivisionError"):  # a bug is one at any depth
            below(room() - 30, lambda: system[Bugs].divide(0))
    assert sys.getrecursionlimit() == limit


def test_without_cpythons_own_function_frames_are_counted() -> None:
    assert below(10, headroom._counted) - headroom._counted() in {11, 12}
