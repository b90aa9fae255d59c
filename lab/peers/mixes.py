"""The operations of the mix, in the words of each kind of file system.

Every peer is used as its documentation says. Where it has an operation, the mix is that callable
itself, so that as little as possible of ours is measured with it; the rest is put together from
what it has. Paths are whole ones, computed beforehand; what is opened once (a handle) is for the
reads and writes of 4 KiB.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

PAGE: Final = 4096
LARGE: Final = 1 << 20
PART: Final = 64 << 10
"""Bytes at a time, of the sequential megabyte."""
DATA: Final = bytes(range(256)) * (PAGE // 256)
PARTS: Final = tuple(bytes([number]) * PART for number in range(LARGE // PART))

_NEW: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY
_OVER: Final = os.O_CREAT | os.O_TRUNC | os.O_WRONLY

Call = Callable[..., Any]


class Mix(NamedTuple):
    """A peer.

    Attributes:
        mkdir: makes a directory.
        create: makes an empty file that is not there.
        handle, let_go: open a file to read and write pages; close it.
        put, get: write bytes, or read so many of them, by a handle, at an offset.
        stat: all that is known of a file.
        size: the size of it, out of that.
        open_close: opens a file for reading, and closes it.
        names: what is in a directory.
        rename: moves a file to a path that is free.
        unlink: removes a file.
        write_large: writes `PARTS` over what the file was.
        read_large: reads a file, part by part; how much it was.
    """

    mkdir: Call
    create: Call
    handle: Call
    let_go: Call
    put: Call
    get: Call
    stat: Call
    size: Call
    open_close: Call
    names: Call
    rename: Call
    unlink: Call
    write_large: Call
    read_large: Call


def by_descriptors(api: Any) -> Mix:
    """A file system with the operations of `os`: the module itself, or a stub of ours."""
    opened, close = api.open, api.close

    def write_large(path: str) -> None:
        descriptor = opened(path, _OVER, 0o666)
        for part in PARTS:
            api.write(descriptor, part)
        close(descriptor)

    def read_large(path: str) -> int:
        descriptor = opened(path, os.O_RDONLY)
        total = 0
        while part := api.read(descriptor, PART):
            total += len(part)
        close(descriptor)
        return total

    return Mix(
        mkdir=api.mkdir,
        create=lambda path: close(opened(path, _NEW, 0o666)),
        handle=lambda path: opened(path, os.O_RDWR),
        let_go=close,
        put=api.pwrite,
        get=api.pread,
        stat=api.stat,
        size=lambda path: api.stat(path).st_size,
        open_close=lambda path: close(opened(path, os.O_RDONLY)),
        names=api.listdir,
        rename=api.rename,
        unlink=api.unlink,
        write_large=write_large,
        read_large=read_large,
    )


def by_fsspec(files: Any) -> Mix:
    """A file system of fsspec."""
    return Mix(
        mkdir=files.mkdir,
        handle=lambda path: files.open(path, "r+b"),
        stat=files.info,
        size=lambda path: files.info(path)["size"],
        names=partial(files.ls, detail=False),
        rename=files.mv,
        unlink=files.rm_file,
        **_by_files(
            new=lambda path: files.open(path, "xb"),
            over=lambda path: files.open(path, "wb"),
            old=lambda path: files.open(path, "rb"),
        ),
    )


def by_pyfilesystem(files: Any) -> Mix:
    """A file system of PyFilesystem."""
    return Mix(
        mkdir=files.makedir,
        handle=lambda path: files.openbin(path, "r+"),
        stat=partial(files.getinfo, namespaces=["details"]),
        size=lambda path: files.getinfo(path, ["details"]).size,
        names=files.listdir,
        rename=files.move,
        unlink=files.remove,
        **_by_files(
            new=lambda path: files.openbin(path, "x"),
            over=lambda path: files.openbin(path, "w"),
            old=lambda path: files.openbin(path, "r"),
        ),
    )


def _by_files(*, new: Call, over: Call, old: Call) -> dict[str, Call]:
    """What is done with Python's file objects, by three ways of opening one."""

    def put(file: Any, data: bytes, offset: int) -> None:
        file.seek(offset)
        file.write(data)

    def get(file: Any, length: int, offset: int) -> bytes:
        file.seek(offset)
        data: bytes = file.read(length)
        return data

    def write_large(path: str) -> None:
        with over(path) as file:
            for part in PARTS:
                file.write(part)

    def read_large(path: str) -> int:
        total = 0
        with old(path) as file:
            while part := file.read(PART):
                total += len(part)
        return total

    return {
        "create": lambda path: new(path).close(),
        "open_close": lambda path: old(path).close(),
        "let_go": lambda file: file.close(),
        "put": put,
        "get": get,
        "write_large": write_large,
        "read_large": read_large,
    }
