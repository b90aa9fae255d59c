"""What programs do to a directory: run on a mounted image and on the host's own file system.

    python life.py PART DIRECTORY

prints what every step gave, one line each, which must be the same in both places.
"""

import errno
import fcntl
import mmap
import os
import random
import stat
import sys
from collections.abc import Callable
from typing import Any, Final

Step = Callable[[], Any]


def tell(what: str, step: Step) -> None:
    """Do a step and print what it gave: its result, or the name of its error."""
    try:
        result = step()
    except OSError as error:
        result = errno.errorcode[error.errno or 0]
    print(what, result)  # noqa: T201 (the test reads it)


def write(path: str, data: bytes, flags: int = os.O_CREAT | os.O_WRONLY) -> int:
    descriptor = os.open(path, flags, 0o666)
    try:
        return os.write(descriptor, data)
    finally:
        os.close(descriptor)


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def seen(found: os.stat_result) -> tuple[Any, ...]:
    """What both file systems should agree on."""
    size = None if stat.S_ISDIR(found.st_mode) else found.st_size
    return oct(found.st_mode), found.st_nlink, found.st_uid, found.st_gid, size


def names() -> None:
    """Links, renames, loops and lengths."""
    tell("mkdir", lambda: os.mkdir("d", 0o750))
    tell("mkdir again", lambda: os.mkdir("d"))
    tell("write", lambda: write("d/f", b"content"))
    tell("link", lambda: os.link("d/f", "g"))
    tell("stat", lambda: seen(os.stat("g")))
    tell("same file", lambda: os.path.samefile("d/f", "g"))
    tell("rename to itself", lambda: os.rename("d/f", "g"))
    tell("both stay", lambda: (sorted(os.listdir(".")), os.listdir("d")))
    tell("symlink", lambda: os.symlink("d/f", "s"))
    tell("symlink, a loop", lambda: os.symlink("loop", "loop"))
    tell("follow the loop", lambda: os.stat("loop"))
    tell("through the link", lambda: read("s"))
    tell("readlink", lambda: os.readlink("s"))
    tell("lstat", lambda: seen(os.lstat("s")))
    tell("directory over a file", lambda: os.rename("d", "g"))
    tell("file over a directory", lambda: os.rename("g", "d"))
    tell("into itself", lambda: os.rename("d", "d/below"))
    tell("rmdir, not empty", lambda: os.rmdir("d"))
    tell("unlink a directory", lambda: os.unlink("d"))
    tell("rmdir a file", lambda: os.rmdir("g"))
    tell("a file as a directory", lambda: os.stat("g/x"))
    tell("no such", lambda: os.stat("missing"))
    tell("make it", lambda: write("missing", b"x"))
    tell("now there is", lambda: read("missing"))
    tell("the longest name", lambda: write("n" * 60, b""))
    tell("odd bytes", lambda: write("\udcff\udc80 ä\n", b"odd"))
    tell("odd list", lambda: sorted(os.listdir(".")))
    tell("rename over", lambda: os.rename("missing", "g"))
    tell("read", lambda: (read("g"), read("d/f"), seen(os.stat("d/f"))))
    tell("fifo", lambda: os.mkfifo("fifo", 0o640))
    tell("fifo stat", lambda: seen(os.stat("fifo")))
    if not os.fork():  # the host's kernel connects both ends
        write("fifo", b"through", os.O_WRONLY)
        os._exit(0)
    tell("fifo read", lambda: read("fifo"))
    os.wait()


def content() -> None:
    """Reading, writing, mapping, locking."""
    rng = random.Random(1)
    model = bytearray()
    with open("file", "w+b", buffering=0) as file:
        for _ in range(60):
            offset, data = rng.randrange(300_000), rng.randbytes(rng.randrange(40_000))
            file.seek(offset)
            file.write(data)
            model.extend(bytes(max(0, offset + len(data) - len(model))))
            model[offset : offset + len(data)] = data
        tell("same", lambda: read("file") == model)
        tell("cut", lambda: file.truncate(100_001))
        tell("grow", lambda: file.truncate(200_000))
        tell("zeros", lambda: read("file") == bytes(model[:100_001]).ljust(200_000, b"\0"))
        with mmap.mmap(file.fileno(), 8192) as mapped:
            mapped[4090:4100] = b"0123456789"
            mapped.flush()
        tell("mapped", lambda: read("file")[4089:4101])
        tell("lock", lambda: fcntl.lockf(file, fcntl.LOCK_EX))
        tell("flock", lambda: fcntl.flock(file, fcntl.LOCK_EX))
        tell("fsync", lambda: os.fsync(file.fileno()))
        tell(
            "sendfile",
            lambda: os.sendfile(os.open("copy", os.O_CREAT | os.O_RDWR), file.fileno(), 0, 9),
        )
    tell("append", lambda: [write("log", b"x" * 9, os.O_CREAT | os.O_APPEND | os.O_WRONLY)] * 2)
    tell("append", lambda: write("log", b"y" * 9, os.O_APPEND | os.O_WRONLY))
    tell("appended", lambda: read("log"))
    tell("truncate", lambda: write("log", b"z", os.O_TRUNC | os.O_WRONLY))
    tell("truncated", lambda: read("log"))
    tell("exclusive", lambda: write("log", b"", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    tell("times", lambda: os.utime("log", ns=(5 * 10**9, 7 * 10**9)))
    tell("times", lambda: os.stat("log")[stat.ST_ATIME : stat.ST_MTIME + 1])
    tell("only one of them", lambda: os.utime("log", (11, 12)))
    tell("negative length", lambda: os.truncate("log", -1))


def forgotten() -> None:
    """Files and directories that lost their names and are still in use."""
    file = os.open("file", os.O_CREAT | os.O_RDWR)
    os.write(file, b"still here")
    tell("unlink", lambda: os.unlink("file"))
    tell("list", lambda: os.listdir("."))
    tell("read", lambda: os.pread(file, 100, 0))
    tell("write", lambda: os.pwrite(file, b"was", 6))
    tell("stat", lambda: seen(os.fstat(file)))
    tell("chmod", lambda: os.fchmod(file, 0o604))
    tell("chown", lambda: os.fchown(file, 3, 4))
    tell("utime", lambda: os.utime(file, ns=(0, 3 * 10**9)))
    tell("time", lambda: int(os.fstat(file).st_mtime))
    tell("truncate", lambda: os.ftruncate(file, 9))
    tell("stat", lambda: seen(os.fstat(file)))
    tell("a new one", lambda: write("file", b"new"))
    tell("two files", lambda: (os.pread(file, 100, 0), read("file")))
    tell("by number", lambda: os.stat("file").st_ino == os.fstat(file).st_ino)
    other = os.open("file", os.O_RDWR)
    tell("replaced", lambda: (write("next", b"next"), os.rename("next", "file")))
    tell("both", lambda: (os.pread(other, 9, 0), read("file"), seen(os.fstat(other))))
    os.close(file)
    os.close(other)
    os.mkdir("directory")
    os.chdir("directory")
    tell("remove here", lambda: os.rmdir("../directory"))
    tell("here", lambda: seen(os.stat(".")))
    tell("nothing here", lambda: os.listdir("."))
    tell("nothing new here", lambda: write("new", b""))
    tell("mkdir here", lambda: os.mkdir("new"))


def moved() -> None:
    """Directories that move while they are in use, and one that is read while it changes."""
    os.makedirs("a/b/c")
    write("a/b/c/file", b"moves")
    file = os.open("a/b/c/file", os.O_RDONLY)
    inside = os.open("a/b", os.O_RDONLY)
    os.mkdir("x")
    tell("rename", lambda: os.rename("a/b", "x/y"))
    tell("read", lambda: os.pread(file, 9, 0))
    tell("stat", lambda: seen(os.fstat(file)))
    tell("list", lambda: (os.listdir(inside), os.listdir("x/y/c"), os.listdir("a")))
    tell("at", lambda: os.stat("c/file", dir_fd=inside).st_size)
    tell("old path", lambda: os.stat("a/b"))
    for number in range(500):
        write(f"x/{number:03}", b"")
    kept = set()
    with os.scandir("x") as entries:
        for entry in entries:
            kept.add(entry.name)
            if entry.name.isdecimal() and int(entry.name) % 2:
                os.unlink(f"x/{entry.name}")
    tell("all seen once", lambda: len(kept))
    tell("left", lambda: len(os.listdir("x")))
    for _ in range(120):  # much deeper than the longest path
        os.mkdir("d" * 50)
        os.chdir("d" * 50)
    tell("deep", lambda: write("file", b"deep"))
    tell("deep", lambda: (read("file"), seen(os.stat("file"))))
    tell("deep link", lambda: (os.link("file", "link"), os.rename("link", "../up")))
    tell("deep list", lambda: (os.listdir("."), sorted(os.listdir(".."))))
    for name in ("file", "../up"):
        tell("deep unlink", lambda name=name: os.unlink(name))  # type: ignore[misc]  # its own name
    for _ in range(120):
        os.chdir("..")
        os.rmdir("d" * 50)
    tell("left", lambda: max(os.listdir(".")))


def users() -> None:
    """What users may do: run as root, as each of them in turn."""
    os.umask(0)
    os.mkdir("shared", 0o1777)
    os.mkdir("group", 0o2770)
    os.chown("group", 0, 5000)
    os.mkdir("private", 0o700)
    write("private/file", b"secret")
    write("public", b"all")
    os.chmod("public", 0o644)
    write("theirs", b"set")
    os.chown("theirs", 1001, 5000)
    os.chmod("theirs", 0o6777)
    write("run", b"#!/bin/sh\nexit 0\n")
    os.chmod("run", 0o711)
    opened = os.open("private/file", os.O_RDONLY)
    for uid, groups in ((1001, [5000]), (1002, []), (65000, [1, 2, 5000])):
        sys.stdout.flush()
        if not os.fork():
            os.setgroups(groups)
            os.setgid(100)
            os.setuid(uid)
            _be(uid, opened)
            sys.stdout.flush()
            os._exit(0)
        os.wait()
    tell("set-id bits", lambda: seen(os.stat("theirs")))
    tell("written", lambda: read("theirs"))


def _be(uid: int, opened: int) -> None:
    me = str(uid)
    tell("inherited", lambda: os.pread(opened, 9, 0))
    tell("private", lambda: read("private/file"))
    tell("list private", lambda: os.listdir("private"))
    tell("public", lambda: read("public"))
    tell("write public", lambda: write("public", b"no"))
    tell("make here", lambda: write(me, b""))
    tell("make shared", lambda: write(f"shared/{me}", b""))
    tell("mine", lambda: seen(os.stat(f"shared/{me}")))
    tell("sticky", lambda: os.unlink("shared/1001") if uid != 1001 else None)
    tell("group", lambda: write(f"group/{me}", b""))
    tell("group's", lambda: seen(os.stat(f"group/{me}")))
    tell("chmod theirs", lambda: os.chmod("theirs", 0o6777))
    tell("give away", lambda: os.chown(f"shared/{me}", 0, -1))
    tell("own groups", lambda: os.chown(f"shared/{me}", -1, 5000))
    tell("touch public", lambda: os.utime("public"))
    tell("touch theirs", lambda: os.utime("theirs"))
    tell("time of theirs", lambda: os.utime("theirs", (1, 1)))
    tell("write theirs", lambda: write("theirs", b"w"))
    tell("truncate public", lambda: os.truncate("public", 0))
    tell("device", lambda: os.mknod(f"shared/{me}d", stat.S_IFCHR | 0o600, os.makedev(1, 3)))
    tell("run", lambda: os.access("run", os.X_OK))
    tell("not read", lambda: read("run"))
    tell("umask", lambda: (os.umask(0o027), write(f"shared/{me}u", b""))[1])
    tell("masked", lambda: seen(os.stat(f"shared/{me}u")))


PARTS: Final = {part.__name__: part for part in (names, content, forgotten, moved, users)}


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    PARTS[sys.argv[1]]()
