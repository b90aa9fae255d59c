"""The baton keeps all but one out, and is never lost."""

import signal
import threading

import pytest

from kernels.baton import Baton
from tests.conftest import eventually


def test_one_at_a_time() -> None:
    baton, inside, most = Baton(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(2000):
            with baton:
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_who_is_interrupted_while_waiting_has_not_got_it() -> None:
    baton, main = Baton(), threading.get_ident()
    assert baton.acquire()
    timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        baton.acquire()
    timer.join()
    others: list[bool] = []
    waiting = threading.Thread(target=lambda: others.append(baton.acquire()))
    waiting.start()
    baton.release()
    eventually(lambda: others == [True])
    waiting.join()
    baton.release()
    assert baton.acquire()


def test_after_a_fork_nobody_waits() -> None:
    baton = Baton()
    baton.acquire()
    baton.after_fork()
    for _ in range(100):
        assert baton.acquire()
