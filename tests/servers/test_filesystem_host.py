"""Every operation beside the host's own: the same results and errnos, and the same tree at the end.

Both sides begin 30 directories deep, so that `..` leads to places that both have. Nothing may lead
out of the host's part: a path goes up by three at most, links don't go up, and who comes too far up
ends the run.
"""

import errno
import os
from functools import partial
from pathlib import Path
from stat import S_ISDIR
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from tests.servers.images import Bound, fsck, mounted
from tests.servers.oracle import Host, comparable, outcome, snapshot
from twinos import Caller

DEPTH = 30
DEEP_ENOUGH = 10
SIZES = (0, 1, 100, 1023, 1024, 1025, 4095, 4096, 4097, 7168, 7169, 12_288, 20_000, 270_000)
MODES = (0o777, 0o644, 0o700, 0o600, 0o1777, 0o2755, 0o4755)

names = st.sampled_from(["a", "b", "c", "a", "b", ".", "..", "é", "n" * 60, "\udcff"])
paths = st.builds(
    lambda parts, slashes, end: slashes.join(parts) + end,
    st.lists(names, min_size=1, max_size=3),
    st.sampled_from(["/", "/", "/", "//"]),
    st.sampled_from(["", "", "", "", "", "/", "/."]),
)
targets = st.builds(
    lambda parts, end: "/".join(parts) + end,
    st.lists(names.filter(lambda name: name != ".."), min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
flags = st.builds(
    lambda access, extra: access | sum(set(extra)),
    st.sampled_from([os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT]),
    st.lists(
        st.sampled_from(
            [os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_DIRECTORY, os.O_NOFOLLOW]
        ),
        max_size=2,
    ),
)
modes = st.sampled_from(MODES)
sizes = st.sampled_from((*SIZES, -1))
data = st.builds(
    lambda byte, size: bytes([byte]) * size, st.integers(1, 255), st.sampled_from(SIZES)
)
whence = st.sampled_from([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END, 9])
opened = st.integers(0, 7).map(lambda number: ("descriptor", number))

operations = st.one_of(
    st.tuples(st.just("open"), paths, flags, modes),
    st.tuples(st.just("open"), paths, flags, modes),
    st.tuples(st.sampled_from(["close", "fstat", "dup", "fsync", "fchdir"]), opened),
    st.tuples(st.just("read"), opened, sizes),
    st.tuples(st.just("pread"), opened, sizes, sizes),
    st.tuples(st.just("write"), opened, data),
    st.tuples(st.just("pwrite"), opened, data, sizes),
    st.tuples(st.just("lseek"), opened, sizes, whence),
    st.tuples(st.just("ftruncate"), opened, sizes),
    st.tuples(st.just("fchmod"), opened, modes),
    st.tuples(st.just("mkdir"), paths, modes),
    st.tuples(st.just("mkdir"), paths, modes),
    st.tuples(st.sampled_from(["rmdir", "unlink", "readlink", "listdir", "chdir"]), paths),
    st.tuples(st.sampled_from(["stat", "lstat"]), paths),
    st.tuples(st.sampled_from(["rename", "link", "rename"]), paths, paths),
    st.tuples(st.just("symlink"), targets, paths),
    st.tuples(st.just("truncate"), paths, sizes),
    st.tuples(st.just("chmod"), paths, modes),
    st.tuples(st.just("access"), paths, st.sampled_from([0, 1, 2, 4, 7])),
)


class Pair:
    """Our file system and the host's, step by step."""

    def __init__(self, files: FileSystem, root: str) -> None:
        self.files = files
        self.host = Host(root)
        self._root = root
        self._open = []
        for _ in range(DEPTH):
            for side in (self.ours, self.theirs):
                side("mkdir", "deep", 0o755)
                side("chdir", "deep")

    def ours(self, name: str, *arguments: Any) -> Any:
        return getattr(self.files, name)(*arguments)

    def theirs(self, name: str, *arguments: Any) -> Any:
        if name in {"chdir", "fchdir"}:
            return self.host.chdir(*arguments)
        return self.host.call(name, *arguments)

    def step(self, name: str, *arguments: Any) -> Any:
        """Do one operation on both; whether there is any point in going on."""
        ours = theirs = arguments
        if isinstance(arguments[0], tuple):
            if not self._open:
                return True
            number = arguments[0][1] % len(self._open)
            ours, theirs = ((own, *arguments[1:]) for own in self._open[number])
            if name == "lseek" and S_ISDIR(self.files.fstat(ours[0]).st_mode):
                return True  # what a position in a directory is, each file system says itself
            if name == "close":
                del self._open[number]
        here = outcome(self.ours, name, *ours)
        there = outcome(self.theirs, name, *theirs)
        if name in {"open", "dup"} and here[0] == there[0] == "result":
            self._open.append((here[1], there[1]))
        else:
            assert comparable_outcome(here) == comparable_outcome(there), (name, *arguments)
        return self.may_go_on()

    def may_go_on(self) -> bool:
        """Whether the working directory still has a name (`..` of one without is nobody's), and
        lies deep enough."""
        return outcome(self.ours, "stat", "..")[0] == "result" and self.host.depth() > DEEP_ENOUGH

    def compare(self) -> None:
        for side in (self.ours, self.theirs):
            side("chdir", "/" if side == self.ours else self._root)
        assert snapshot(self.ours) == snapshot(self.theirs)

    def close(self) -> None:
        for own, other in self._open:
            self.ours("close", own)
            os.close(other)
        self.host.close()


def comparable_outcome(found: list[str]) -> Any:
    return found[0], comparable(found[1])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("host")


def follow(kernel: str, steps: Any, scratch: Path) -> None:
    """Take the steps on both sides, and compare the trees before and after a reboot."""
    scratch = scratch / kernel
    scratch.mkdir(exist_ok=True)
    run = len(os.listdir(scratch))
    root, image = scratch / f"{run}", str(scratch / "image")
    root.mkdir()
    if os.path.exists(image):
        os.unlink(image)
    with boot(kernel, FileSystem, config={Disk: {"image": image, "blocks": 4096}}) as system:
        pair = Pair(system[FileSystem], str(root))
        try:
            for step in steps:
                if not pair.step(*step):
                    break
            pair.compare()
        finally:
            pair.close()
    assert fsck(image) == ""
    with boot(kernel, FileSystem, config={Disk: {"image": image}}) as system:
        host = Host(str(root))
        try:
            files = system[FileSystem]
            kept = snapshot(lambda name, *arguments: getattr(files, name)(*arguments))
            assert kept == snapshot(host.call)
        finally:
            host.close()


@settings(max_examples=120)
@given(steps=st.lists(operations, min_size=10, max_size=60))
def test_it_does_what_the_host_does(scratch: Path, steps: Any) -> None:
    follow("monolithic", steps, scratch)


@settings(max_examples=8)
@given(steps=st.lists(operations, min_size=30, max_size=60))
def test_so_it_does_under_the_microkernel(scratch: Path, steps: Any) -> None:
    follow("microkernel", steps, scratch)


def as_user(uid: Any, gid: Any, operation: Any, *arguments: Any) -> Any:
    """An operation of the host as somebody else, by effective ids."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        return operation(*arguments)
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


permission_steps = st.lists(
    st.tuples(
        st.sampled_from([(0, 0), (1000, 100), (1001, 100), (1002, 200)]),
        st.one_of(
            st.tuples(st.sampled_from(["mkdir", "chmod"]), paths, st.sampled_from([*MODES, 0o070])),
            st.tuples(st.just("chown"), paths, *[st.sampled_from([-1, 1000, 1001, 100, 200])] * 2),
            st.tuples(st.sampled_from(["rmdir", "unlink", "listdir", "stat", "utime"]), paths),
            st.tuples(st.sampled_from(["rename", "link"]), paths, paths),
            st.tuples(st.just("symlink"), targets, paths),
            st.tuples(st.just("truncate"), paths, st.sampled_from([0, 10])),
            st.tuples(st.just("create"), paths, st.sampled_from([*MODES, 0o6777])),
        ),
    ),
    min_size=10,
    max_size=60,
)


def create(call: Any, path: str, mode: Any) -> Any:
    """Make a file and write to it, so that set-id bits may go."""
    descriptor = call("open", path, os.O_WRONLY | os.O_CREAT, mode)
    try:
        return call("write", descriptor, b"x")
    finally:
        call("close", descriptor)


def protected_hardlinks() -> Any:
    try:
        with open("/proc/sys/fs/protected_hardlinks", encoding="ascii") as setting:
            return setting.read().strip() != "0"
    except OSError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can be somebody else")
@settings(max_examples=60)
@given(steps=permission_steps)
def test_it_permits_what_the_host_permits(scratch: Path, steps: Any) -> None:
    root = scratch / f"permissions{len(os.listdir(scratch))}"
    root.mkdir()
    stricter = protected_hardlinks()
    with mounted(blocks=1000) as files:
        callers = {who: Caller(1 + sum(who), "user", *who) for who in {who for who, _ in steps}}
        root_caller = callers.setdefault((0, 0), Caller(1))
        pair = Pair(Bound(files, root_caller), str(root))
        try:
            for side in (pair.ours, pair.theirs):
                side("chmod", ".", 0o1777)
            for caller in callers.values():
                files.chdir(caller, "/" + "/".join(["deep"] * DEPTH))
            for who, (name, *arguments) in steps:
                if name == "link" and stricter and who[0]:
                    continue  # the host's administrator forbids more than POSIX does
                ours = Bound(files, callers[who]).call
                theirs = partial(as_user, *who, pair.host.call)
                if name == "create":
                    here, there = (outcome(create, side, *arguments) for side in (ours, theirs))
                else:
                    here, there = (outcome(side, name, *arguments) for side in (ours, theirs))
                assert comparable_outcome(here) == comparable_outcome(there), (who, name, arguments)
                if not pair.may_go_on():
                    break
            files.chdir(root_caller, "/")
            pair.host.chdir(str(root))
            assert owners(pair.ours) == owners(pair.theirs)
        finally:
            pair.close()


def owners(call: Any, path: str = ".") -> Any:
    found = {}
    for name in call("listdir", path):
        status = call("lstat", f"{path}/{name}")
        found[f"{path}/{name}"] = comparable(status)
        if S_ISDIR(status.st_mode):
            found |= owners(call, f"{path}/{name}")
    return found


def test_the_text_of_an_error_is_the_hosts(tmp_path: Path) -> None:
    """Error text, file names and subclass are those that `os` gives."""
    with boot("monolithic", FileSystem, config={Disk: {"blocks": 100}}) as system:
        files = system[FileSystem]
        for name, arguments in (("stat", ("x",)), ("rename", ("x", "y")), ("rmdir", ("x",))):
            with pytest.raises(FileNotFoundError) as ours:
                getattr(files, name)(*arguments)
            with pytest.raises(FileNotFoundError) as theirs:
                getattr(os, name)(*(str(tmp_path / part) for part in arguments))
            assert str(ours.value) == str(theirs.value).replace(f"{tmp_path}/", "")
        assert ours.value.errno == errno.ENOENT
