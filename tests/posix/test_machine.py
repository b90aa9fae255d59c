"""A state machine: the same operations on our file system and on the host's, all answers compared.

Several users with several descriptors open, write, cut, rename, link and remove in one small tree,
so that they often meet. A long run:

    TWINOS_POSIX_EXAMPLES=5000 TWINOS_POSIX_SEED=7 pytest --timeout 0 tests/posix/test_machine.py
"""

import errno
import os
import stat
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.posix.world import ADA, BOB, EVE, LINUX, ROOT, Credentials, Host, can_be_others, host
from tests.servers.images import Bound, mounted
from twinos import Caller

EXAMPLES: Final = int(os.environ.get("TWINOS_POSIX_EXAMPLES", "60"))
SEED: Final = int(os.environ.get("TWINOS_POSIX_SEED", "1"))
USERS: Final = (ROOT, ADA, BOB, EVE)
SIZES: Final = (0, 1, 1000, 1024, 4095, 4096, 4097, 7168, 10_000, 300_000)

EXTRA: Final = (
    *(os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND),
    *(os.O_NOFOLLOW, os.O_DIRECTORY, os.O_PATH),
)

users = st.sampled_from((ROOT, ROOT, ADA, ADA, BOB, EVE))
names = st.sampled_from(("a", "b", "c") * 8 + (".", "..", "é", "n" * 60, "\udcff"))
relative = st.builds(
    lambda parts, slash, end: slash.join(parts) + end,
    st.lists(names, min_size=1, max_size=2) | st.lists(names, min_size=1, max_size=4),
    st.sampled_from(("/", "/", "/", "//")),
    st.sampled_from(("",) * 12 + ("/", "/.", "/..")),
)
paths = st.one_of(relative, relative, relative, relative.map(lambda path: f"@/{path}"))
"""Paths; a leading @ stands for the top of the tree."""
files = st.integers(0, 5)
"""Which of the user's descriptors; the number counts from the one opened last."""
sizes = st.sampled_from(SIZES)
places = st.sampled_from((*SIZES, -1, -5000))
contents = st.builds(lambda byte, size: bytes([byte]) * size, st.integers(1, 255), sizes)
ids = st.sampled_from((-1, 0, 1000, 1001, 100, 200, 300))
MODES: Final = (0o777, 0o755, 0o700, 0o644, 0o600, 0o070, 0o007, 0o711, 0, 0o6755, 0o2775, 0o4711)
modes = st.sampled_from((*MODES, 0o777, 0o777))
flags = st.builds(
    lambda access, extra: access | sum(set(extra)),
    st.sampled_from((os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR, os.O_RDWR | os.O_CREAT)),
    st.lists(
        st.sampled_from(
            (
                os.O_CREAT,
                os.O_EXCL,
                os.O_TRUNC,
                os.O_APPEND,
                os.O_NOFOLLOW,
                os.O_DIRECTORY,
                os.O_PATH,
            )
        ),
        max_size=2,
    ),
)
maybe_files = st.one_of(st.none(), st.none(), st.none(), files)
kinds = st.sampled_from((0, stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFDIR))


def setting(name: str) -> bool:
    """Whether the host's administrator forbids more than POSIX does."""
    try:
        with open(f"/proc/sys/fs/protected_{name}", encoding="ascii") as file:
            return file.read().strip() != "0"
    except OSError:
        return False


GUARDED_LINKS: Final = setting("hardlinks")


def comparable(result: Any) -> Any:
    """What of a result both must agree on."""
    if hasattr(result, "st_mode"):
        is_directory = stat.S_ISDIR(result.st_mode)
        size = None if is_directory else result.st_size
        return oct(result.st_mode), result.st_nlink, size, result.st_uid, result.st_gid
    return result


class Machine(RuleBasedStateMachine):
    """One small tree, twice."""

    there: Host
    """The host's side, for all runs."""
    runs = 0

    @initialize()
    def begin(self) -> None:
        type(self).runs += 1
        self.top = f"/{self.runs}"
        self._mounted = mounted(blocks=8192)
        service: Any = self._mounted.__enter__()
        self.sides: dict[Credentials, tuple[Any, Any]] = {}
        self.open: dict[Credentials, list[int]] = {who: [] for who in USERS}
        for number, who in enumerate(USERS, 1):
            ours = Bound(service, Caller(number, "user", *who))
            theirs = self.there.user(who)
            theirs.closerange(3, 1024)
            self.sides[who] = ours, theirs
            for side in (ours, theirs):
                if who == ROOT:
                    side.mkdir(self.top)
                    side.chmod(self.top, 0o777)
                side.chdir(self.top)
                side.umask(0o022)
        self.furnish()

    def furnish(self) -> None:
        """A few files and open descriptors to begin with, or most steps would find nothing."""
        for path in ("a", "b", "a/b"):
            self.do(ROOT, "mkdir", path)
            self.do(ROOT, "chmod", path, 0o777)
        for who, path in ((ROOT, "c"), (ADA, "a/c"), (BOB, "b/a"), (EVE, "a/b/b")):
            self.put(who, path, 0o666, b"%d" % who.uid * 2000)
            self.do(who, "chmod", path, 0o666)
        self.do(ROOT, "link", "c", "b/c")
        self.do(ROOT, "symlink", "../a/b", "b/b")
        for who in USERS:
            for path, how in (
                ("c", os.O_RDWR),
                ("a", os.O_RDONLY),
                ("b/a", os.O_RDWR | os.O_APPEND),
            ):
                self.open_file(who, path, how, 0, None)

    def do(self, who: Credentials, name: str, *arguments: Any, **keywords: Any) -> Any:
        """One operation on both sides; its result, or None."""
        arguments = tuple(map(self._placed, arguments))
        found = [self._outcome(side, name, arguments, keywords) for side in self.sides[who]]
        assert found[0] == found[1], (who, name, arguments, keywords, str(found)[:500])
        return found[0][1] if found[0][0] == "result" else None

    def _placed(self, argument: Any) -> Any:
        if isinstance(argument, str) and argument.startswith("@/"):
            return self.top + argument[1:]
        return argument

    def _outcome(self, side: Any, name: str, arguments: Any, keywords: Any) -> Any:
        try:
            result = getattr(side, name)(*arguments, **keywords)
        except OSError as error:
            return "error", errno.errorcode[error.errno or 0]
        if name == "listdir":
            return "result", sorted(result)
        if name == "scandir":
            return "result", sorted((entry[0], entry[2]) for entry in result)
        return "result", comparable(result)

    def fd(self, who: Credentials, number: int) -> int:
        """A descriptor of the user's; one that is not open if there is none."""
        opened = self.open[who]
        return opened[-1 - number % len(opened)] if opened else 99

    def at(self, who: Credentials, number: int | None) -> dict[str, int]:
        return {} if number is None else {"dir_fd": self.fd(who, number)}

    # Descriptors.

    @rule(who=users, path=paths, flags=flags, mode=modes, number=maybe_files)
    def open_file(self, who: Any, path: Any, flags: Any, mode: Any, number: Any) -> None:
        if not flags & os.O_PATH and self.is_special(path, who, number):
            return  # somebody may have to be at the other end
        if LINUX < (6, 4) and flags & os.O_CREAT and flags & os.O_DIRECTORY:
            return
        fd = self.do(who, "open", path, flags, mode, **self.at(who, number))
        if fd is not None:
            self.open[who].append(fd)

    def is_special(self, path: str, who: Credentials, number: int | None) -> bool:
        try:
            found = self.sides[who][0].stat(self._placed(path), **self.at(who, number))
        except OSError:
            return False
        return stat.S_IFMT(found.st_mode) not in {stat.S_IFREG, stat.S_IFDIR}

    @rule(who=users, path=paths, mode=modes, data=contents)
    def put(self, who: Any, path: Any, mode: Any, data: Any) -> None:
        self.open_file(who, path, os.O_RDWR | os.O_CREAT, mode, None)
        self.do(who, "write", self.fd(who, 0), data)

    @rule(who=users, number=files)
    def close(self, who: Any, number: Any) -> None:
        fd = self.fd(who, number)
        self.do(who, "close", fd)
        if fd in self.open[who]:
            self.open[who].remove(fd)

    @rule(who=users, number=files)
    def dup(self, who: Any, number: Any) -> None:
        fd = self.do(who, "dup", self.fd(who, number))
        if fd is not None:
            self.open[who].append(fd)

    @rule(who=users, number=files, other=files)
    def dup2(self, who: Any, number: Any, other: Any) -> None:
        self.do(who, "dup2", self.fd(who, number), self.fd(who, other))
        fd = self.fd(who, other)
        if fd == 99 and self.open[who]:
            self.open[who].append(fd)

    @rule(who=users, name=st.sampled_from(("fstat", "fsync", "fchdir")), number=files)
    def by_descriptor(self, who: Any, name: Any, number: Any) -> None:
        self.do(who, name, self.fd(who, number))

    @rule(who=users, number=files, size=sizes)
    def read(self, who: Any, number: Any, size: Any) -> None:
        self.do(who, "read", self.fd(who, number), size)

    @rule(who=users, number=files, size=sizes, place=sizes)
    def pread(self, who: Any, number: Any, size: Any, place: Any) -> None:
        self.do(who, "pread", self.fd(who, number), size, place)

    @rule(who=users, number=files, data=contents)
    def write(self, who: Any, number: Any, data: Any) -> None:
        self.do(who, "write", self.fd(who, number), data)

    @rule(who=users, number=files, data=contents, place=sizes)
    def pwrite(self, who: Any, number: Any, data: Any, place: Any) -> None:
        self.do(who, "pwrite", self.fd(who, number), data, place)

    @rule(who=users, number=files, data=st.lists(contents, max_size=3))
    def writev(self, who: Any, number: Any, data: Any) -> None:
        self.do(who, "writev", self.fd(who, number), tuple(data))

    @rule(
        who=users,
        number=files,
        place=st.sampled_from((*SIZES, -1, -5000)),
        whence=st.integers(0, 2),
    )
    def lseek(self, who: Any, number: Any, place: Any, whence: Any) -> None:
        fd = self.fd(who, number)
        if fd == 99 or not stat.S_ISDIR(self.sides[who][0].fstat(fd).st_mode):
            self.do(who, "lseek", fd, place, whence)  # of a directory each says what it means

    @rule(who=users, number=files, size=st.sampled_from((*SIZES, -1)))
    def ftruncate(self, who: Any, number: Any, size: Any) -> None:
        self.do(who, "ftruncate", self.fd(who, number), size)

    @rule(who=users, number=files, place=sizes, size=sizes)
    def posix_fallocate(self, who: Any, number: Any, place: Any, size: Any) -> None:
        self.do(who, "posix_fallocate", self.fd(who, number), place, size)

    @rule(who=users, number=files, other=files, size=sizes, at=st.none() | st.tuples(sizes, sizes))
    def copy(self, who: Any, number: Any, other: Any, size: Any, at: Any) -> None:
        pair = self.fd(who, number), self.fd(who, other)
        self.do(who, "copy_file_range", *pair, size, *(at or ()))

    # Names.

    @rule(who=users, path=paths, mode=modes, number=maybe_files)
    def mkdir(self, who: Any, path: Any, mode: Any, number: Any) -> None:
        self.do(who, "mkdir", path, mode, **self.at(who, number))

    @rule(
        who=users,
        name=st.sampled_from(("rmdir", "unlink", "readlink", "stat", "lstat")),
        path=paths,
        number=maybe_files,
    )
    def by_path(self, who: Any, name: Any, path: Any, number: Any) -> None:
        self.do(who, name, path, **self.at(who, number))

    @rule(who=users, name=st.sampled_from(("listdir", "scandir")), path=paths | files)
    def list(self, who: Any, name: Any, path: Any) -> None:
        if isinstance(path, int):
            path = self.fd(who, path)
            if path == 99 or not stat.S_ISDIR(self.sides[who][0].fstat(path).st_mode):
                return  # fdopendir has its own order of errors
        self.do(who, name, path)

    @rule(who=users, old=paths, new=paths, number=maybe_files, other=maybe_files)
    def rename(self, who: Any, old: Any, new: Any, number: Any, other: Any) -> None:
        keywords = {}
        if number is not None:
            keywords["src_dir_fd"] = self.fd(who, number)
        if other is not None:
            keywords["dst_dir_fd"] = self.fd(who, other)
        self.do(who, "rename", old, new, **keywords)

    @rule(who=users, old=paths, new=paths)
    def link(self, who: Any, old: Any, new: Any) -> None:
        self.do(ROOT if GUARDED_LINKS else who, "link", old, new)

    @rule(who=users, to=paths, path=paths)
    def symlink(self, who: Any, to: Any, path: Any) -> None:
        self.do(who, "symlink", to, path)

    @rule(who=users, path=paths, mode=modes, kind=kinds)
    def mknod(self, who: Any, path: Any, mode: Any, kind: Any) -> None:
        self.do(who, "mknod", path, kind | mode, 0x0103)  # Linux means something by 0

    @rule(who=users, path=paths)
    def chdir(self, who: Any, path: Any) -> None:
        self.do(who, "chdir", path)
        self.do(who, "getcwd")

    # Attributes.

    @rule(who=users, path=paths | files, mode=modes)
    def chmod(self, who: Any, path: Any, mode: Any) -> None:
        self.do(who, "chmod", path if isinstance(path, str) else self.fd(who, path), mode)

    @rule(who=users, path=paths, uid=ids, gid=ids, name=st.sampled_from(("chown", "lchown")))
    def chown(self, who: Any, path: Any, uid: Any, gid: Any, name: Any) -> None:
        self.do(who, name, path, uid, gid)

    @rule(who=users, number=files, uid=ids, gid=ids)
    def fchown(self, who: Any, number: Any, uid: Any, gid: Any) -> None:
        self.do(who, "fchown", self.fd(who, number), uid, gid)

    @rule(who=users, path=paths, mode=st.integers(0, 7))
    def access(self, who: Any, path: Any, mode: Any) -> None:
        self.do(who, "access", path, mode)

    @rule(who=users, path=paths, times=st.none() | st.just((5.0, 7.0)), follow=st.booleans())
    def utime(self, who: Any, path: Any, times: Any, follow: Any) -> None:
        self.do(who, "utime", path, times, follow_symlinks=follow)

    @rule(who=users, path=paths, size=sizes)
    def truncate(self, who: Any, path: Any, size: Any) -> None:
        self.do(who, "truncate", path, size)

    @rule(who=users, mask=st.sampled_from((0, 0o022, 0o077, 0o777)))
    def umask(self, who: Any, mask: Any) -> None:
        self.do(who, "umask", mask)

    def teardown(self) -> None:
        if not hasattr(self, "sides"):
            return
        try:
            ours, theirs = (dict(walk(side, "/")) for side in self.sides[ROOT])
            assert ours == theirs
        finally:
            self._mounted.__exit__(None, None, None)
            self.there.clear()


def walk(side: Any, top: str) -> Iterator[tuple[str, Any]]:
    """Everything below: attributes, contents, targets."""
    for name in side.listdir(top):
        path = f"{top.rstrip('/')}/{name}"
        found = side.lstat(path)
        content: Any = None
        if stat.S_ISLNK(found.st_mode):
            content = side.readlink(path)
        elif stat.S_ISREG(found.st_mode):
            fd = side.open(path, os.O_RDONLY)
            content = side.read(fd, 1 << 22)
            side.close(fd)
        yield path, (comparable(found), content)
        if stat.S_ISDIR(found.st_mode):
            yield from walk(side, path)


def test_both_answer_the_same(tmp_path: Any) -> None:
    if reason := can_be_others():
        pytest.skip(reason)
    with host(str(tmp_path)) as there:
        machine = type("Run", (Machine,), {"there": there})
        run = settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        run_state_machine_as_test(seed(SEED)(machine), settings=run)
