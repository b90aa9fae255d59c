"""Programs for user processes. At the top of a module, so that a fresh interpreter finds them."""

import os
import signal
import time

from kernels import User
from tests.kernels.services import Bugs, Echo, Mailbox


def count_to(user: User, number: int) -> int:
    for each in range(number):
        assert user[Echo].number(each) == each
    return 0


def put(user: User, item: bytes) -> None:
    user[Mailbox].put(item)


def put_who(user: User) -> int:
    assert user[Echo].caller() == user.caller
    user[Mailbox].put(str(user.caller.id).encode())
    return 7


def take(user: User) -> int:
    return len(user[Mailbox].take())


def read_region(user: User) -> int:
    region = user.region(Bugs, "store")
    region.memory[1] = 9
    return region.memory[0]


def fail(user: User, text: str) -> None:
    del user
    raise ValueError(text)


def leave(user: User) -> None:
    del user
    raise SystemExit(5)


def be_killed(user: User) -> None:
    user[Echo].null()
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_ever(user: User) -> None:
    user[Bugs].wait_for_nothing()


def send_much_for_ever(user: User, size: int) -> None:
    data = bytes(size)
    while True:
        user[Echo].data(data)


def loop(user: User) -> None:
    user[Mailbox].put(b"looping")
    while True:
        time.sleep(60)


def descriptors(user: User) -> None:
    """Say what is open here."""
    shown = [os.readlink(f"/proc/self/fd/{entry}") for entry in ("0", "1", "2")]
    count = sum(os.path.lexists(f"/proc/self/fd/{number}") for number in range(64))
    user[Mailbox].put(f"{count} {shown}".encode())
