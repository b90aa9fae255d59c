"""The file system of fsspec: `twinos://`."""

import os
import secrets
import stat
import weakref
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from fsspec import AbstractFileSystem
from fsspec.utils import stringify_path

from kernels import boot
from lab.choice import parse
from lab.spec.files import open_file
from servers.disk import Disk
from servers.filesystem import FileSystem, Stat
from servers.filesystem.layout import BLOCK_SIZE

_KINDS: Final = {stat.S_IFDIR: "directory", stat.S_IFREG: "file"}
_STEP: Final = 16 << 20


class TwinOSFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files in an image, or in memory, behind a kernel that this process boots.

        fsspec.filesystem("twinos", image="disk.img").ls("/")
        pandas.read_csv("twinos://data/table.csv", storage_options={"image": "disk.img"})

    Everything happens as the superuser of the image. What was written is in the image after `sync`,
    `close`, or the end of the process. fsspec keeps one instance for the same arguments.

    Args:
        image: a disk image; None means a disk in memory, which goes with the instance.
        kernel: as `twinos bench` names kernels.
        read_only: change nothing, and let others read the image too.
        size: bytes of a disk in memory, or of an image that is not there yet.
        auto_mkdir: whether opening a file to write it, or copying to it, makes its directories.

    Raises:
        OSError: there is no such image, or it is in use (EBUSY), or holds something else.
        lab.refusal.Refusal: there is no such kernel.
    """

    protocol = "twinos"
    root_marker = "/"

    def __init__(
        self,
        image: str | None = None,
        kernel: str = "monolithic",
        read_only: bool = False,
        size: int | None = None,
        auto_mkdir: bool = True,
        **options: Any,
    ) -> None:
        if self._cached:
            return
        super().__init__(**options)
        self.auto_mkdir = auto_mkdir
        choice = parse(kernel)
        disk = {
            "image": image if image is None else os.path.abspath(image),
            "blocks": None if size is None else size // BLOCK_SIZE,
            "read_only": read_only,
        }
        self._system = boot(
            choice.kernel, FileSystem, config={Disk: disk}, groups=choice.partition([FileSystem])
        )
        self.files = self._system[FileSystem]
        weakref.finalize(self, self._system.close)

    @property
    def fsid(self) -> str:
        """What tells this file system from others."""
        return f"twinos-{self._fs_token}"

    def sync(self) -> None:
        """Have everything in the image before this returns."""
        self.files.sync()

    def close(self) -> None:
        """Shut the system down, with everything in the image; others can have it now."""
        self._system.close()
        type(self)._cache.pop(self._fs_token, None)  # noqa: SLF001 (fsspec has no other way)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """The path in the image: absolute, without a final slash."""
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        path = stringify_path(path).removeprefix("twinos://")
        parts: list[str] = []
        for part in path.split("/"):
            if part == "..":
                del parts[-1:]
            elif part not in {"", "."}:
                parts.append(part)
        return "/" + "/".join(parts)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """What is in a directory, or the file itself."""
        path = self._strip_protocol(path)
        found = self.info(path)
        if found["type"] != "directory":
            return [found if detail else path]
        names = [f"{path.rstrip('/')}/{name}" for name in sorted(self.files.listdir(path))]
        return list(self._infos(names)) if detail else names

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """What is known of a file; of a symbolic link, of what it leads to."""
        path = self._strip_protocol(path)
        found = self.files.lstat(path)
        if not stat.S_ISLNK(found.st_mode):
            return _info(path, found)
        with suppress(FileNotFoundError):
            found = self.files.stat(path)
        target = self.files.readlink(path)
        return _info(path, found) | {"islink": True, "destination": target}

    def created(self, path: str) -> datetime:
        """When the file's inode was changed: the format knows no earlier time."""
        return _moment(self.info(path)["created"])

    def modified(self, path: str) -> datetime:
        """When the content was changed last."""
        return _moment(self.info(path)["mtime"])

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is such a file."""
        try:
            self.files.stat(self._strip_protocol(path))
        except OSError:
            return False
        return True

    def lexists(self, path: str, **_: Any) -> bool:
        """Whether there is such a file, or a link that leads nowhere."""
        try:
            self.files.lstat(self._strip_protocol(path))
        except OSError:
            return False
        return True

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Make a directory."""
        path = self._strip_protocol(path)
        if create_parents and self._parent(path) != path:
            self.makedirs(self._parent(path), exist_ok=True)
        self.files.mkdir(path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a directory, and those above it."""
        path = self._strip_protocol(path)
        if self.isdir(path):
            if not exist_ok:
                raise FileExistsError(f"{path} is there already")
            return
        missing = [path]  # no recursion: paths may have thousands of components
        while not self.isdir(self._parent(missing[-1])):
            missing.append(self._parent(missing[-1]))
        for each in reversed(missing):
            self.files.mkdir(each)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        self.files.rmdir(self._strip_protocol(path))

    def rm_file(self, path: str) -> None:
        """Remove a file."""
        self.files.unlink(self._strip_protocol(path))

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files, or whole directories."""
        del maxdepth
        for each in [path] if isinstance(path, str | os.PathLike) else path:
            place = self._strip_protocol(each)
            if recursive and stat.S_ISDIR(self.files.lstat(place).st_mode):
                self._remove_tree(place)
            else:
                self.files.unlink(place)

    def mv(self, path1: str, path2: str, **options: Any) -> None:
        """Move a file or directory, in one step."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if not options.get("recursive", True) and self.isdir(source):
            raise IsADirectoryError(f"{source} is a directory")
        if path2.endswith("/") or self.isdir(target):
            target = f"{target.rstrip('/')}/{source.rpartition('/')[2]}"
        self._reach(target)
        self.files.rename(source, target)

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy one file, or make a directory like another."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        self._reach(target)
        if self.isdir(source):
            self.makedirs(target, exist_ok=True)
            return
        with self.open(source, "rb") as old, self.open(target, "wb") as new:
            while part := old.read(_STEP):
                new.write(part)

    def touch(self, path: str, truncate: bool = True, **_: Any) -> None:
        """Make an empty file, or empty one, or only renew its time."""
        path = self._strip_protocol(path)
        self._reach(path)
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if truncate else 0)
        self.files.close(self.files.open(path, flags, 0o666))
        self.files.utime(path)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **_: Any,
    ) -> Any:
        """See `AbstractFileSystem.open`; in a transaction the file gets its name at the end."""
        del cache_options
        plain = mode.replace("b", "").replace("t", "")
        if plain[:1] != "r":
            self._reach(path)
        if autocommit or plain[:1] not in {"w", "x"}:
            return open_file(self.files, path, plain, block_size)
        if plain[0] == "x" and self.lexists(path):
            raise FileExistsError(f"{path} is there already")
        place = f"{self._parent(path).rstrip('/')}/.{secrets.token_hex(8)}.part"
        return open_file(self.files, place, plain, block_size, home=path)

    def _reach(self, path: str) -> None:
        if self.auto_mkdir:
            self.makedirs(self._parent(path), exist_ok=True)

    def _infos(self, names: list[str]) -> Iterator[dict[str, Any]]:
        for name in names:
            with suppress(FileNotFoundError):  # it went a moment ago
                yield self.info(name)

    def _remove_tree(self, path: str) -> None:
        for entry in self.files.scandir(path):
            place = f"{path.rstrip('/')}/{entry.name}"
            if entry.d_type == stat.S_IFDIR:
                self._remove_tree(place)
            else:
                self.files.unlink(place)
        if path != self.root_marker:
            self.files.rmdir(path)


def _info(path: str, found: Stat) -> dict[str, Any]:
    return {
        "name": path,
        "size": found.st_size,
        "type": _KINDS.get(stat.S_IFMT(found.st_mode), "other"),
        "created": found.st_ctime,
        "mtime": found.st_mtime,
        "mode": found.st_mode,
        "uid": found.st_uid,
        "gid": found.st_gid,
        "ino": found.st_ino,
        "nlink": found.st_nlink,
        "islink": False,
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
