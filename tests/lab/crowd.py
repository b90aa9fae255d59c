"""Several users at once on two directories, which must answer alike: the host's and a mounted one.

    python crowd.py DIRECTORY ORACLE SEED STEPS

as root; each user is a process that does the same in both directories. Prints what differs.
"""

import errno
import os
import random
import signal
import stat
import sys
from collections.abc import Callable
from multiprocessing import Pipe
from typing import Any, Final

USERS: Final = ((0, 0, ()), (1001, 100, (5000,)), (1002, 100, ()), (1003, 200, (100, 5000)))
NAMES: Final = ("a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "l", "d/l", "x", "x/a", "x/y", "x/y/a")
MODES: Final = (0o777, 0o755, 0o700, 0o644, 0o600, 0o000, 0o1777, 0o2775, 0o4755, 0o6777)
IDS: Final = (-1, 0, 1001, 1002, 100, 200, 5000)
OPENING: Final = (0, os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_TRUNC)
Step = tuple[str, tuple[Any, ...]]


def step(rng: random.Random) -> Step:
    """What somebody might do."""
    name, other, mode = rng.choice(NAMES), rng.choice(NAMES), rng.choice(MODES)
    return rng.choice(
        [
            ("mkdir", (name, mode)),
            ("mkdir", (name, mode)),
            ("rmdir", (name,)),
            ("unlink", (name,)),
            ("rename", (name, other)),
            ("rename", (name, other)),
            ("link", (name, other)),
            ("symlink", (rng.choice(("a", "e", "d/../d", "nowhere", "l")), name)),
            ("chmod", (name, mode)),
            ("chmod", (name, mode)),
            ("lchown", (name, rng.choice(IDS), rng.choice(IDS))),
            ("chown", (name, rng.choice(IDS), rng.choice(IDS))),
            ("truncate", (name, rng.randrange(9000))),
            ("utime", (name, (rng.randrange(99), rng.randrange(99)))),
            ("utime", (name,)),
            ("access", (name, rng.randrange(8))),
            ("listdir", (name,)),
            ("readlink", (name,)),
            ("mkfifo", (name, mode)),
            (
                "write",
                (
                    name,
                    rng.choice((0, os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_TRUNC)),
                    mode & ~0o2000,
                ),
            ),
            ("write", (name, os.O_CREAT | os.O_TRUNC, mode & ~0o2000)),
            ("read", (name,)),
            ("umask", (rng.choice((0, 0o022, 0o077)),)),
        ]
    )


def do_write(name: str, flags: int, mode: int) -> int:
    descriptor = os.open(name, os.O_WRONLY | os.O_NONBLOCK | flags, mode)
    try:
        return os.write(descriptor, b"content")
    finally:
        os.close(descriptor)


def do_read(name: str) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, 99)
    finally:
        os.close(descriptor)


OWN: Final[dict[str, Callable[..., Any]]] = {
    "write": do_write,
    "read": do_read,
    "listdir": lambda name: sorted(os.listdir(name)),
}


def outcome(name: str, arguments: tuple[Any, ...]) -> Any:
    """What a step gives here: its result, or the name of its error."""
    try:
        return OWN.get(name, getattr(os, name, None))(*arguments)  # type: ignore[misc]  # one of them is
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def serve(connection: Any, user: tuple[int, int, tuple[int, ...]], places: list[int]) -> None:
    """Be a user: do each step in both places, and tell what came of it."""
    uid, gid, groups = user
    os.setgroups(groups)
    os.setgid(gid)
    os.setuid(uid)
    while True:
        name, arguments = connection.recv()
        if name == "umask":
            os.umask(*arguments)
        results = []
        for place in places:
            os.fchdir(place)
            results.append(None if name == "umask" else outcome(name, arguments))
        connection.send(results)


def seen(place: str) -> list[Any]:
    """Everything in a directory, as root sees it."""
    found = []
    for folder, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            size = None if stat.S_ISDIR(info.st_mode) else info.st_size
            shown = oct(info.st_mode), info.st_nlink, info.st_uid, info.st_gid, size
            found.append((os.path.relpath(path, place), *shown))
    return sorted(found)


def main(ours: str, oracle: str, seed: int, steps: int) -> int:
    """Compare, up to the first difference; the exit status."""
    rng = random.Random(seed)
    opened = [os.open(place, os.O_RDONLY) for place in (ours, oracle)]
    connections, pids = [], []
    for user in USERS:
        here, there = Pipe()
        if not (pid := os.fork()):
            serve(there, user, opened)
        connections.append(here)
        pids.append(pid)
    try:
        for number in range(steps):
            who, asked = rng.randrange(len(USERS)), step(rng)
            connections[who].send(asked)
            mine, hosts = connections[who].recv()
            if mine != hosts or seen(ours) != seen(oracle):
                print(number, USERS[who], asked, mine, hosts, *seen(ours), "-", *seen(oracle))  # noqa: T201 (the test reads it)
                return 1
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
