"""The worlds in which POSIX is tested, and a fresh directory in them for each test."""

import errno
import os
import stat
from collections.abc import Iterator
from typing import Any, Final

import pytest

from servers.disk import Disk
from servers.filesystem import FileSystem
from tests.conftest import KERNELS
from tests.posix.world import ADA, BOB, EVE, ROOT, Credentials, World, can_be_others, host, twin

BLOCKS: Final = 32_768
OURS: Final = {kernel.name: kernel for kernel in KERNELS if kernel.name != "hybrid"}


@pytest.fixture(scope="module", params=["host", *OURS])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The host's file system, and ours under both kernels and with users of both kinds."""
    name: str = request.param
    if name == "host":
        if reason := can_be_others():
            pytest.skip(reason)
        with host(str(tmp_path_factory.mktemp("root"))) as there:
            yield there
        return
    with (
        OURS[name].boot(FileSystem, config={Disk: {"blocks": BLOCKS}}) as system,
        twin(name, system) as here,
    ):
        yield here


class Place:
    """A fresh directory, open to everybody, and some users who are in it.

    Attributes:
        path: the directory.
        world: where it is.
        root: the superuser.
        ada: uid 1000, group 100, also in group 300.
        bob: uid 1001, group 100.
        eve: uid 1002, group 200.
    """

    def __init__(self, world: World, path: str) -> None:
        self.world = world
        self.path = path
        self.root = world.user(ROOT)
        self.root.mkdir(path)
        self.root.chmod(path, 0o777)
        self._users = {"root": self.root}
        self._settle(self.root)

    def __getattr__(self, name: str) -> Any:
        if name not in _USERS:
            raise AttributeError(name)
        user = self._users.get(name)
        if user is None:
            user = self._users[name] = self.user(_USERS[name])
        return user

    def user(self, who: Credentials) -> Any:
        """Somebody else, in the directory."""
        user = self.world.user(who)
        self._settle(user)
        return user

    def _settle(self, user: Any) -> None:
        user.closerange(3, 1024)
        user.chdir(self.path)
        user.umask(0o022)

    @property
    def is_host(self) -> bool:
        return self.world.name == "host"

    @property
    def name_max(self) -> int:
        return int(self.root.pathconf("/", "PC_NAME_MAX"))

    def file(self, path: str, data: bytes = b"", mode: int = 0o644, who: Any = None) -> str:
        """Make a file; its path."""
        who = who or self.root
        fd = who.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        assert who.write(fd, data) == len(data)
        who.fchmod(fd, mode)
        who.close(fd)
        return path

    def folder(self, path: str, mode: int = 0o755, who: Any = None) -> str:
        """Make a directory; its path."""
        who = who or self.root
        who.mkdir(path)
        who.chmod(path, mode)
        return path

    def read(self, path: str, who: Any = None) -> bytes:
        """All of a file."""
        who = who or self.root
        fd = who.open(path, os.O_RDONLY)
        data: bytes = who.read(fd, 1 << 20)
        who.close(fd)
        return data

    def mode(self, path: str) -> int:
        """Permission bits, set-id and sticky bits included."""
        return stat.S_IMODE(self.root.lstat(path).st_mode)

    def make(self, kind: str, path: str) -> str:
        """A file of some kind; its path."""
        {
            "file": self.file,
            "directory": self.root.mkdir,
            "link": lambda path: self.root.symlink("nowhere", path),
            "fifo": self.root.mkfifo,
            "socket": lambda path: self.root.mknod(path, stat.S_IFSOCK | 0o666),
            "device": lambda path: self.root.mknod(path, stat.S_IFCHR | 0o666, 0x0103),
        }[kind](path)
        return path


_USERS: Final = {"ada": ADA, "bob": BOB, "eve": EVE}
KINDS: Final = ("file", "directory", "link", "fifo", "socket", "device")


@pytest.fixture
def p(world: World, request: pytest.FixtureRequest) -> Place:
    """A fresh directory, in which all users are."""
    counts: dict[World, int] = request.module.__dict__.setdefault("_places", {})
    counts[world] = counts.get(world, 0) + 1
    return Place(world, f"/{counts[world]}")


OLD: Final = 1_000_000_000


@pytest.fixture
def aged(p: Place) -> Any:
    """Give files times long ago, and later ask which have been set since: of `a` and `m`."""

    class Aged:
        def set(self, *paths: str) -> None:
            for path in paths:
                p.root.utime(path, ns=(OLD * 10**9, OLD * 10**9), follow_symlinks=False)

        def changed(self, path: str) -> str:
            found = p.root.lstat(path)
            times = {"a": found.st_atime_ns, "m": found.st_mtime_ns}
            return "".join(letter for letter, time in times.items() if time != OLD * 10**9)

    return Aged()


def fails(code: int, operation: Any, *arguments: Any, **keywords: Any) -> None:
    """The operation fails with this errno."""
    try:
        result = operation(*arguments, **keywords)
    except OSError as error:
        found = error.errno
        assert found == code, (errno.errorcode.get(found or 0), errno.errorcode[code])
    else:
        raise AssertionError(f"{errno.errorcode[code]} was expected, not {result!r}")
