"""Disk images for the tests, made and read by TwinOS's own file system."""

from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

from assignments.files.contract import Subject
from kernels import System, boot
from lab.crash.fsck import second_opinion
from lab.grading.bench import Bench, MismatchError
from servers.disk import Disk
from servers.filesystem import FileSystem, Stat
from servers.filesystem.check import MemoryImage, check

T = TypeVar("T")
BLOCKS = 800
FLAGS = 0o102
"""O_RDWR | O_CREAT"""


def boot_on(bench: Bench, image: "Image") -> System:
    """Boot the student's volume on an image."""
    return bench.boot(Subject, config={Disk: {"image": image.path}})


class Image:
    """A disk image with some files and directories, whose contents are drawn.

    Args:
        bench: of the test.
        large: bytes of the file /large.
    """

    def __init__(self, bench: Bench, large: int = 20_000) -> None:
        self.path = str(bench.folder / "image")
        self._random = Random(bench.random.random())
        self._with(lambda fs: self._fill(fs, large), blocks=BLOCKS, erase=True)
        self._first = self._bytes()

    def names(self, path: str) -> list[bytes]:
        """The names in a directory, with `.` and `..`, in their order."""
        listed = self._with(lambda fs: fs.listdir(path))
        return [b".", b"..", *(name.encode() for name in listed)]

    def inode(self, path: str) -> int:
        """A file's inode."""
        return self.stat(path).st_ino

    def stat(self, path: str) -> Stat:
        """What the file system says of a file."""
        return self._with(lambda fs: fs.stat(path))

    def read(self, path: str) -> bytes:
        """A file's bytes."""

        def whole(fs: FileSystem) -> bytes:
            fd = fs.open(path, 0)
            return fs.pread(fd, fs.fstat(fd).st_size, 0)

        return self._with(whole)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._with(lambda fs: fs.unlink(path))

    def free(self) -> int:
        """How many blocks are free."""
        return self._with(lambda fs: fs.statvfs("/").f_bfree)

    def unchanged(self, bench: Bench) -> None:
        """Expect every byte to be as it was made."""
        bench.true("the disk is as it was", self._bytes() == self._first, "bytes have changed")

    def check(self, bench: Bench) -> None:
        """Expect the disk to be in order: by our checker, and fsck.minix where there is one."""
        bench.true("there is an image", bool(self._bytes()))
        findings = [finding.text for finding in check(MemoryImage(bytearray(self._bytes())))]
        if findings:
            raise MismatchError("the disk", "that it is in order", "; ".join(findings[:3]))
        with second_opinion() as examine:
            said = examine(self._bytes()) if examine else ""
        if said:
            raise MismatchError("the disk", "that it is in order", said)

    def _bytes(self) -> bytes:
        with open(self.path, "rb") as file:
            return file.read()

    def _fill(self, fs: FileSystem, large: int) -> None:
        sizes = {"/notes": 1500 + self._random.randrange(900), "/large": large, "/empty": 0}
        fs.mkdir("/sub")
        for path, size in sizes.items():
            fd = fs.open(path, FLAGS)
            fs.write(fd, self._random.randbytes(size))
            fs.close(fd)

    def _with(self, use: Callable[[FileSystem], T], **disk: Any) -> T:
        config: dict[Any, dict[str, Any]] = {Disk: {"image": self.path, **disk}}
        if disk:
            config[FileSystem] = {"log": 0, "time": 700_000_000}
        with boot("monolithic", FileSystem, config=config) as system:
            return use(system[FileSystem])
