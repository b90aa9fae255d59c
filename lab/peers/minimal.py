"""The least file system in memory that mfusepy can mount: `python -m lab.peers.minimal DIR`.

A dictionary of bytearrays, one directory deep; no permissions, no times, nothing on a disk.
"""

import errno
import os
import stat
import sys
from typing import Any, Final

import mfusepy

OPTIONS: Final = {"attr_timeout": 0, "entry_timeout": 0, "direct_io": True}
"""Without the host's caches: a request is a request."""


class Minimal(mfusepy.Operations):  # type: ignore[misc]  # unchecked: it is an extra
    """Files by path."""

    use_ns = True

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[str, bytearray] = {}
        self._directories = {"/"}

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """What is known of a file."""
        del fh
        if path in self._directories:
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": len(self._of(path))}

    def mkdir(self, path: str, mode: int) -> int:
        """Make a directory."""
        del mode
        self._directories.add(path)
        return 0

    def readdir(self, path: str, fh: int) -> Any:
        """The names in a directory."""
        del fh
        prefix = path.rstrip("/") + "/"
        yield "."
        yield ".."
        for each in self._files:
            if each.startswith(prefix):
                yield each[len(prefix) :]

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        """Make a file."""
        del mode, fi
        self._files[path] = bytearray()
        return 0

    def open(self, path: str, flags: int) -> int:
        """Open a file."""
        del flags
        self._of(path)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read."""
        del fh
        return bytes(self._of(path)[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write."""
        del fh
        file = self._of(path)
        if offset > len(file):
            file.extend(bytes(offset - len(file)))
        file[offset : offset + len(data)] = data
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Cut a file, or make it longer."""
        del fh
        file = self._of(path)
        del file[length:]
        file.extend(bytes(length - len(file)))
        return 0

    def rename(self, old: str, new: str) -> int:
        """Move a file."""
        self._files[new] = self._files.pop(old)
        return 0

    def unlink(self, path: str) -> int:
        """Remove a file."""
        del self._files[path]
        return 0

    def _of(self, path: str) -> bytearray:
        try:
            return self._files[path]
        except KeyError:
            raise mfusepy.FuseOSError(errno.ENOENT) from None


if __name__ == "__main__":
    if os.getppid() == 1:
        sys.exit("whoever wanted it has gone")
    mfusepy.FUSE(Minimal(), sys.argv[1], foreground=True, nothreads=True, **OPTIONS)
