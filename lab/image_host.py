"""Directories of the host, as a source and as a sink of entries."""

import errno
import os
import stat
from collections.abc import Iterator
from functools import partial

from lab.image_entry import CHUNK, Content, Entry, LeftOut

_NS = 1_000_000_000


def read_directory(top: str) -> Iterator[Entry]:
    """Everything in a directory, a directory before what is in it; `top` itself first."""
    links: dict[tuple[int, int], str] = {}
    pending = [""]
    while pending:
        path = pending.pop()
        place = os.path.join(top, path) if path else top
        entry = _entry(place, path, os.stat(place) if not path else os.lstat(place), links)
        yield entry
        if stat.S_ISDIR(entry.mode):
            names = sorted(os.listdir(place), reverse=True)
            pending += [f"{path}/{name}" if path else name for name in names]


def _entry(
    place: str, path: str, found: os.stat_result, links: dict[tuple[int, int], str]
) -> Entry:
    kind, link = stat.S_IFMT(found.st_mode), None
    if found.st_nlink > 1 and kind != stat.S_IFDIR:
        first = links.setdefault((found.st_dev, found.st_ino), path)
        link = None if first == path else first
    is_device = kind in {stat.S_IFCHR, stat.S_IFBLK}
    return Entry(
        path=path,
        mode=found.st_mode,
        uid=found.st_uid,
        gid=found.st_gid,
        size=found.st_size if kind == stat.S_IFREG else 0,
        atime=found.st_atime_ns // _NS,
        mtime=found.st_mtime_ns // _NS,
        target=os.readlink(place) if kind == stat.S_IFLNK else "",
        device=(os.major(found.st_rdev), os.minor(found.st_rdev)) if is_device else (0, 0),
        link=link,
        content=partial(_content, place),
    )


def _content(place: str) -> Content:
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield from parts(descriptor)
    finally:
        os.close(descriptor)


def parts(descriptor: int) -> Content:
    """The parts of an open file that are no holes."""
    offset = 0
    while (offset := _data(descriptor, offset)) >= 0:
        end = os.lseek(descriptor, offset, os.SEEK_HOLE)
        while offset < end and (part := os.pread(descriptor, min(CHUNK, end - offset), offset)):
            yield offset, part
            offset += len(part)


def _data(descriptor: int, offset: int) -> int:
    """Where the next bytes are that are not a hole; -1 if there are none."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return -1


class DirectoryWriter:
    """Makes entries in a directory of the host that is empty.

    Owners are kept only where this process may give files away.

    Args:
        top: the directory.
    """

    def __init__(self, top: str) -> None:
        self._top = top
        self._directories: list[Entry] = []
        self._gives_away = os.geteuid() == 0

    def put(self, entry: Entry) -> None:
        """See `Sink`."""
        place = self._place(entry)
        if entry.link is not None:
            os.link(os.path.join(self._top, entry.link), place, follow_symlinks=False)
            return
        if entry.kind == stat.S_IFDIR:
            self._directories.append(entry)
            if entry.path:
                os.mkdir(place, 0o700)
            return
        self._make(place, entry)
        self._set_attributes(place, entry)

    def finish(self) -> None:
        """Give directories their permissions and times, the lowest first."""
        for entry in reversed(self._directories):
            self._set_attributes(self._place(entry), entry)

    def _place(self, entry: Entry) -> str:
        return os.path.join(self._top, entry.path) if entry.path else self._top

    def _make(self, place: str, entry: Entry) -> None:
        if entry.kind == stat.S_IFREG:
            _write(place, entry)
        elif entry.kind == stat.S_IFLNK:
            os.symlink(entry.target, place)
        else:
            try:
                os.mknod(place, entry.kind | 0o600, os.makedev(*entry.device))
            except PermissionError:
                raise LeftOut("only root may make a device") from None

    def _set_attributes(self, place: str, entry: Entry) -> None:
        if self._gives_away:
            os.chown(place, entry.uid, entry.gid, follow_symlinks=False)
        if entry.kind != stat.S_IFLNK:
            os.chmod(place, entry.permissions)
        os.utime(place, ns=(entry.atime * _NS, entry.mtime * _NS), follow_symlinks=False)


def _write(place: str, entry: Entry) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_parts(descriptor, entry.content())
        os.ftruncate(descriptor, entry.size)
    finally:
        os.close(descriptor)


def write_parts(descriptor: int, content: Content) -> None:
    """Write the parts of a file, and leave what is between them."""
    for offset, part in content:
        done = 0
        while done < len(part):
            done += os.pwrite(descriptor, memoryview(part)[done:], offset + done)
