"""Tar files, as a source and as a sink of entries."""

import lzma
import math
import stat
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Final, Literal

from lab.image_entry import CHUNK, Content, Entry, LeftOut
from lab.refusal import Failure

_Mode = Literal["w|", "w|gz", "w|bz2", "w|xz"]
SUFFIXES: Final[dict[str, _Mode]] = {
    ".tar": "w|",
    ".tar.gz": "w|gz",
    ".tgz": "w|gz",
    ".tar.bz2": "w|bz2",
    ".tbz2": "w|bz2",
    ".tar.xz": "w|xz",
    ".txz": "w|xz",
}
"""How the names of tar files end, and how each is opened."""
DAMAGED: Final = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)
"""What reading a tar file that is damaged, or is none, raises."""

_KINDS: Final = {
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.LNKTYPE: stat.S_IFREG,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}
_TYPES: Final = {
    stat.S_IFREG: tarfile.REGTYPE,
    **{kind: code for code, kind in _KINDS.items() if code != tarfile.LNKTYPE},
}


def suffix(path: str) -> str | None:
    """How a name ends if it is that of a tar file."""
    return next((end for end in SUFFIXES if path.lower().endswith(end)), None)


def read_tar(tar: tarfile.TarFile) -> Iterator[Entry]:
    """The members of a tar file, one after the other.

    Raises:
        Failure: a name leads out of the place that the tar file is for.
        tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError: the file is damaged.
    """
    while (member := tar.next()) is not None:
        _forget_members(tar)
        yield Entry(
            path=_checked(member.name, member.name),
            mode=_kind(member) | member.mode & 0o7777,
            uid=member.uid,
            gid=member.gid,
            size=member.size if member.isreg() else 0,
            atime=_seconds(member.pax_headers.get("atime", member.mtime)),
            mtime=_seconds(member.mtime),
            target=member.linkname if member.issym() else "",
            device=(member.devmajor, member.devminor),
            link=_checked(member.linkname, member.name) if member.islnk() else None,
            content=partial(_content, tar, member),
        )


def _forget_members(tar: tarfile.TarFile) -> None:
    """Keep it from keeping all that it has seen."""
    tar.members = []  # type: ignore[attr-defined]  # its list, which no method empties


def _checked(name: str, member: str) -> str:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        raise Failure(f"the tar file's member {member!r} leads out of it; nothing was changed.")
    return "/".join(part for part in parts if part not in {"", "."})


def _kind(member: tarfile.TarInfo) -> int:
    return stat.S_IFREG if member.isreg() else _KINDS.get(member.type, 0)


def _seconds(written: float | str) -> int:
    """A time as a tar file gives it, which may be anything."""
    try:
        return math.floor(float(written))
    except (ValueError, OverflowError):
        return 0


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Content:
    file = tar.extractfile(member)
    offset = 0
    while file is not None and (part := file.read(CHUNK)):
        if part.count(0) != len(part):
            yield offset, part
        offset += len(part)


class TarWriter:
    """Adds entries to a tar file.

    Args:
        tar: the file, open for writing.
    """

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def put(self, entry: Entry) -> None:
        """See `Sink`."""
        info = tarfile.TarInfo(f"./{entry.path}" if entry.path else ".")
        info.mode, info.uid, info.gid = entry.permissions, entry.uid, entry.gid
        info.mtime = entry.mtime
        info.pax_headers = {"atime": str(entry.atime)}
        if entry.link is not None:
            info.type, info.linkname = tarfile.LNKTYPE, f"./{entry.link}"
        elif entry.kind not in _TYPES:
            raise LeftOut("a tar file can't hold a socket")
        else:
            info.type, info.linkname = _TYPES[entry.kind], entry.target
            info.devmajor, info.devminor = entry.device
            info.size = entry.size
        self._tar.addfile(info, _Whole(entry) if info.isreg() else None)
        _forget_members(self._tar)

    def finish(self) -> None:
        """Nothing has to wait."""


class _Whole:
    """An entry's content as a file that is read from its start to its end."""

    def __init__(self, entry: Entry) -> None:
        self._parts = entry.content()
        self._next = next(self._parts, None)
        self._position = 0

    def read(self, count: int = 0) -> bytes:
        """The next `count` bytes, which are there: tar files say the size first."""
        data = bytearray(count)
        start, end = self._position, self._position + count
        while self._next is not None and self._next[0] < end:
            offset, part = self._next
            begin = max(offset, start)
            piece = part[begin - offset : end - offset]
            data[begin - start : begin - start + len(piece)] = piece
            if offset + len(part) > end:
                break
            self._next = next(self._parts, None)
        self._position = end
        return bytes(data)


def open_to_read(path: str) -> tarfile.TarFile:
    """A tar file that is read from its start to its end, compressed or not."""
    return tarfile.open(path, "r|*")


def open_to_write(path: str, end: str) -> tarfile.TarFile:
    """A new tar file in POSIX format; `end` is how its name will end."""
    return tarfile.open(
        path,
        SUFFIXES[end],
        format=tarfile.PAX_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
    )
