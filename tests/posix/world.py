"""Where POSIX is tested: a file system and its users, ours or the host's.

A test is written once, against what the standard says, and runs on the host first of all: so an
expectation that is ours alone fails there.
"""

import errno
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, Protocol

from kernels import System
from servers.filesystem import FileSystem

LINUX: Final = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
"""The host's version: 6.4 refuses O_CREAT | O_DIRECTORY, older ones make a file."""
PEER: Final = Path(__file__).with_name("peer.py")


class Credentials(NamedTuple):
    """Who somebody is."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


ROOT: Final = Credentials(0, 0)
ADA: Final = Credentials(1000, 100, (300,))
BOB: Final = Credentials(1001, 100)
EVE: Final = Credentials(1002, 200)


class World(Protocol):
    """A file system. `name` says which."""

    name: str

    def user(self, who: Credentials) -> Any:
        """The operations of `os`, as this user; the same one each time."""


class Twin:
    """Our file system under some kernel."""

    def __init__(self, name: str, system: System) -> None:
        self.name = name
        self._system = system
        self._users: dict[Credentials, Any] = {}

    def user(self, who: Credentials) -> Any:
        if who not in self._users:
            self._users[who] = self._system.user(*who)
        return self._users[who][FileSystem]

    def close(self) -> None:
        for user in self._users.values():
            user.close()


class Host:
    """The host's file system: `root` is its root, and each user a process of its own."""

    def __init__(self, root: str) -> None:
        self.name = "host"
        self._root = root
        self._users: dict[Credentials, Peer] = {}
        self.clear()

    def user(self, who: Credentials) -> Any:
        if who not in self._users:
            self._users[who] = Peer(self._root, who)
        return self._users[who]

    def clear(self) -> None:
        """Make the root what it was: empty, the superuser's, open to be read."""
        for name in os.listdir(self._root):
            path = os.path.join(self._root, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        os.chown(self._root, 0, 0)
        os.chmod(self._root, 0o755)

    def close(self) -> None:
        for peer in self._users.values():
            peer._close()


class Peer:
    """A user of the host. An attribute is a function of `os`."""

    def __init__(self, root: str, who: Credentials) -> None:
        ids = map(str, (who.uid, who.gid, *who.groups))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(PEER), root, *ids],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        try:
            self._receive()
        except BaseException:
            self._close()
            raise

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, name)

    def _call(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, _frozen(arguments), _frozen(keywords)]) + "\n")
        kind, value = self._receive()
        if kind == "error":
            raise OSError(value, f"{name}: the host says no")
        if kind == "invalid":
            raise OSError(errno.EINVAL, value)
        return _thawed(value)

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(self._process.stderr.read())
        return json.loads(line)

    def _close(self) -> None:
        self._process.communicate()


def _frozen(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, list | tuple):
        return [_frozen(part) for part in value]
    if isinstance(value, dict):
        return {key: _frozen(part) for key, part in value.items()}
    return value


def _thawed(value: Any) -> Any:
    if isinstance(value, dict) and "bytes" in value:
        return value["bytes"].encode("latin-1")
    if isinstance(value, dict):
        return SimpleNamespace(**value["fields"])
    return tuple(map(_thawed, value)) if isinstance(value, list) else value


@cache
def can_be_others() -> str:
    """Why the host can't be asked as several users; empty: it can."""
    with tempfile.TemporaryDirectory() as root:
        try:
            peer = Peer(root, ROOT)
        except RuntimeError:
            return "the host lets this user be nobody else: run the tests as root"
        try:
            peer.mknod("device", stat.S_IFCHR | 0o600, 0x0103)
        except OSError:
            return "the host lets its superuser make no devices"
        finally:
            peer._close()
    return ""


@contextmanager
def host(root: str) -> Iterator[Host]:
    """The host's file system with `root` for its root."""
    world = Host(root)
    try:
        yield world
    finally:
        world.close()


@contextmanager
def twin(name: str, system: System) -> Iterator[Twin]:
    """The file system of a booted system."""
    world = Twin(name, system)
    try:
        yield world
    finally:
        world.close()
