"""A booted file system, as a source and as a sink of entries."""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final

from kernels import System, boot
from lab.choice import parse
from lab.image_entry import CHUNK, Content, Entry, LeftOut
from lab.refusal import Failure
from servers.disk import Disk
from servers.filesystem import FileSystem, Stat
from servers.filesystem.check.inodes import KINDS
from servers.filesystem.layout import MAX_ID, MAX_SIZE, MAX_TIME
from servers.filesystem.state import DESCRIPTORS
from twinos import BootError, KernelPanic, ServerDied, fail
from twinos.errors import describe

_DEFAULT: Final[Mapping[str, int | None]] = {}
_NS: Final = 1_000_000_000
_NOBODY: Final = 65534
"""Whose files are that have an owner too large for the format, as under Linux."""


@contextmanager
def booted(
    image: str, kernel: str, *, writing: bool = False, durable: bool = True, **blank: int | None
) -> Iterator[FileSystem]:
    """A file system on an image, for as long as the context lasts.

    Args:
        image: the image.
        kernel: as `choice.parse` reads it.
        writing: whether the image may change; if not, nothing is written, not even access times.
        durable: whether what is written is on the medium before more is.
        blank: for a blank image: settings of the file system that it gets, `inodes` and `log`.

    Raises:
        Failure: the system does not come up, or breaks down.
    """
    with booted_system(image, kernel, writing=writing, durable=durable, blank=blank) as system:
        files = system[FileSystem]
        files.umask(0)
        yield files


@contextmanager
def booted_system(
    image: str,
    kernel: str,
    *,
    writing: bool,
    durable: bool = True,
    files: int = DESCRIPTORS,
    blank: Mapping[str, int | None] = _DEFAULT,
) -> Iterator[System]:
    """As `booted`, the system itself, in which each user may have so many `files` open."""
    choice = parse(kernel)
    try:
        with boot(
            choice.kernel,
            FileSystem,
            config={
                Disk: {"image": image, "read_only": not writing, "durable": durable},
                FileSystem: {"descriptors": files, **blank},
            },
            groups=choice.partition([FileSystem]),
        ) as system:
            yield system
    except (BootError, KernelPanic, ServerDied) as error:
        raise Failure(f"the system broke down: {describe(error)}.") from error


def read_files(files: FileSystem, top: str) -> Iterator[Entry]:
    """Everything at `top`, a directory before what is in it; `top` itself first."""
    links: dict[int, str] = {}
    pending = [""]
    while pending:
        path = pending.pop()
        place = f"{top}/{path}" if path else top
        entry = _entry(files, place, path, links)
        yield entry
        if entry.kind == stat.S_IFDIR:
            names = sorted(files.listdir(place), key=os.fsencode, reverse=True)
            pending += [f"{path}/{name}" if path else name for name in names]


def _entry(files: FileSystem, place: str, path: str, links: dict[int, str]) -> Entry:
    found: Stat = files.lstat(place)
    kind, link = stat.S_IFMT(found.st_mode), None
    if found.st_nlink > 1 and kind != stat.S_IFDIR:
        first = links.setdefault(found.st_ino, path)
        link = None if first == path else first
    return Entry(
        path=path,
        mode=found.st_mode,
        uid=found.st_uid,
        gid=found.st_gid,
        size=found.st_size if kind == stat.S_IFREG else 0,
        atime=found.st_atime_ns // _NS,
        mtime=found.st_mtime_ns // _NS,
        target=files.readlink(place) if kind == stat.S_IFLNK else "",
        device=divmod(found.st_rdev, 256),
        link=link,
        content=partial(read_content, files, place),
    )


def read_content(files: FileSystem, place: str) -> Content:
    """The parts of a file that are no holes."""
    descriptor = files.open(place, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        offset = 0
        while (offset := _data(files, descriptor, offset)) >= 0:
            end = files.lseek(descriptor, offset, os.SEEK_HOLE)
            while offset < end:
                part = files.pread(descriptor, min(CHUNK, end - offset), offset)
                yield offset, part
                offset += len(part)
    finally:
        files.close(descriptor)


def _data(files: FileSystem, descriptor: int, offset: int) -> int:
    try:
        return files.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return -1


class FilesWriter:
    """Makes entries in a booted file system; a file that is in the way is replaced.

    No entry goes through a symbolic link, so none leaves the place where it belongs.

    Args:
        files: the file system.
        top: the directory below which they go; it is made if it is not there.
    """

    def __init__(self, files: FileSystem, top: str) -> None:
        self._files = files
        self._top = "".join(f"/{part}" for part in top.split("/") if part)
        self._directories: list[tuple[str, Entry]] = []
        self._made = {""}
        self._reach(self._top)

    def put(self, entry: Entry) -> None:
        """See `Sink`."""
        place = self._place(entry.path)
        self._reach(place.rpartition("/")[0])
        if entry.link is not None:
            source = self._place(entry.link)
            self._reach(source.rpartition("/")[0])
            if source == place:
                self._files.lstat(source)  # a name of itself: it has to be there
            else:
                self._in_place_of(place, lambda: self._files.link(source, place))
        elif entry.kind == stat.S_IFDIR:
            self._directories.append((place, entry))
            self._reach(place.rstrip("/"))
        else:
            self._in_place_of(place, lambda: self._make(place, entry))
            self._set_attributes(place, entry)

    def finish(self) -> None:
        """Give directories their permissions and times, the lowest first."""
        for place, entry in reversed(self._directories):
            self._set_attributes(place, entry)

    def _place(self, path: str) -> str:
        return f"{self._top}/{path}" if path else self._top or "/"

    def _reach(self, directory: str) -> None:
        """Have real directories all the way, also those that the source does not name."""
        end = 0
        while directory not in self._made:
            end = directory.find("/", end + 1)
            part = directory[:end] if end > 0 else directory
            if part not in self._made:
                self._ensure_directory(part)
                self._made.add(part)

    def _ensure_directory(self, place: str) -> None:
        try:
            self._files.mkdir(place, 0o755)
        except FileExistsError:
            if not stat.S_ISDIR(self._files.lstat(place).st_mode):
                raise NotADirectoryError(
                    errno.ENOTDIR, "something that is no directory is in the way", place
                ) from None

    def _in_place_of(self, place: str, make: Callable[[], None]) -> None:
        try:
            make()
        except FileExistsError:
            self._files.unlink(place)
            make()

    def _make(self, place: str, entry: Entry) -> None:
        files, (major, minor) = self._files, entry.device
        if entry.kind == stat.S_IFREG:
            self._write(place, entry)
        elif entry.kind == stat.S_IFLNK:
            files.symlink(entry.target, place)
        elif entry.kind not in KINDS:
            raise LeftOut("the format has no files of their type")
        elif not (0 <= major < 256 and 0 <= minor < 256):
            raise LeftOut("the format has no devices with numbers above 255")
        else:
            files.mknod(place, entry.mode, major << 8 | minor)

    def _write(self, place: str, entry: Entry) -> None:
        files = self._files
        if entry.size > MAX_SIZE:
            raise fail(errno.EFBIG, place)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = files.open(place, flags, entry.permissions)
        try:
            end = 0
            for offset, part in entry.content():
                end = offset + len(part)
                written = files.pwrite(descriptor, part, offset)
                while written < len(part):
                    written += files.pwrite(descriptor, part[written:], offset + written)
            if end != entry.size:
                files.ftruncate(descriptor, entry.size)
        finally:
            files.close(descriptor)

    def _set_attributes(self, place: str, entry: Entry) -> None:
        files = self._files
        give(files, place, entry.uid, entry.gid)
        if entry.kind == stat.S_IFDIR or entry.permissions & ~0o777:
            files.chmod(place, entry.permissions)
        times = (_time(entry.atime) * _NS, _time(entry.mtime) * _NS)
        files.utime(place, ns=times, follow_symlinks=False)


def give(files: FileSystem, place: str, uid: int, gid: int) -> None:
    """Set a file's owner and group, as near as the format can say."""
    files.lchown(place, _owner(uid), _owner(gid))


def _owner(number: int) -> int:
    return number if 0 <= number <= MAX_ID else _NOBODY


def _time(seconds: int) -> int:
    return min(max(seconds, 0), MAX_TIME)
