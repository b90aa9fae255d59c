"""Real input: a directory tree of the host, copied in and read back."""

import os
import sysconfig
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from stat import S_ISDIR
from typing import Final, NamedTuple

from servers.disk import Disk
from servers.filesystem import FileSystem
from workloads.workload import Operation, Program, WrongResultError, equals, workload

STEP: Final = 64 * 1024
"""Bytes that are written or read at once."""

SKIPPED: Final = ("__pycache__", "site-packages", "config-*")
"""What is in the standard library's folder and no part of it: caches, guests, build files."""


class Tree(NamedTuple):
    """What is to be copied, by path below the root: parents before children."""

    folders: tuple[str, ...]
    files: dict[str, bytes]


@workload(
    "tree-import",
    config={Disk: {"blocks": 192 * 1024}},
    quick={"files": 250},
    macro=True,
)
def tree_import(
    fs: FileSystem, tree: str = sysconfig.get_path("stdlib"), files: int = 0
) -> Program:
    """Copy a directory tree in, sync, read it back, and compare the hashes of all files.

    Tree: {tree}
    Files: {files:,} (0: all), in sorted order, without symbolic links, __pycache__,
    site-packages and config-*.
    """
    source = gather(Path(tree), files)
    wanted = {path: _digest([data]) for path, data in source.files.items()}
    fs.mkdir("/tree")
    yield Operation(lambda: copy_and_hash(fs, source), check=equals(wanted))


def gather(root: Path, limit: int) -> Tree:
    """The first `limit` regular files below `root` in sorted order (0: all), and their folders.

    Raises:
        WrongResultError: there is none.
    """
    files = {
        path.relative_to(root): path.read_bytes() for path in islice(_walk(root), limit or None)
    }
    if not files:
        raise WrongResultError(f"{root} has no files")
    folders = {folder for path in files for folder in path.parents if folder.name}
    return Tree(
        tuple(str(folder) for folder in sorted(folders)),
        {str(path): data for path, data in files.items()},
    )


def copy_and_hash(fs: FileSystem, source: Tree) -> dict[str, str]:
    """Copy a tree to /tree and sync; the digests of what is then found there, by path."""
    for folder in source.folders:
        fs.mkdir(f"/tree/{folder}")
    for path, data in source.files.items():
        _write(fs, f"/tree/{path}", data)
    fs.sync()
    return dict(_hashes(fs, ""))


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or any(map(path.match, SKIPPED)):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path


def _write(fs: FileSystem, path: str, data: bytes) -> None:
    fd = fs.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    for start in range(0, len(data), STEP):
        fs.write(fd, data[start : start + STEP])
    fs.close(fd)


def _hashes(fs: FileSystem, folder: str) -> Iterator[tuple[str, str]]:
    for name in sorted(fs.listdir(f"/tree/{folder}")):
        path = f"{folder}{name}"
        if S_ISDIR(fs.stat(f"/tree/{path}").st_mode):
            yield from _hashes(fs, f"{path}/")
        else:
            yield path, _digest(_chunks(fs, f"/tree/{path}"))


def _chunks(fs: FileSystem, path: str) -> Iterator[bytes]:
    fd = fs.open(path, os.O_RDONLY)
    while chunk := fs.read(fd, STEP):
        yield chunk
    fs.close(fd)


def _digest(chunks: Iterable[bytes]) -> str:
    digest = sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
