"""Disk images for tests, and what others say of them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from kernels import System, boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from twinos import Caller, Region

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/sbin", "/usr/sbin"])
_FSCK = shutil.which("fsck.minix", path=_PATH)
_MKFS = shutil.which("mkfs.minix", path=_PATH)


def fsck(image: str) -> str:
    """What `fsck.minix` finds wrong with the image; nothing is what it should be.

    It is only ever asked to look: its repair modes destroy images of this version.
    """
    if _FSCK is None:
        return ""
    done = subprocess.run([_FSCK, "-f", image], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{done.returncode}: {done.stdout}{done.stderr}"


needs_fsck = pytest.mark.skipif(_FSCK is None, reason="fsck.minix (util-linux) is not installed")


def mkfs(image: str, blocks: int, inodes: int | None = None) -> None:
    """A file system made by util-linux in a new image."""
    if _MKFS is None:
        pytest.skip("mkfs.minix (util-linux) is not installed")
    with open(image, "wb") as file:
        file.truncate(blocks * 1024)
    asked = [] if inodes is None else ["-i", str(inodes)]
    subprocess.run([_MKFS, "-3", *asked, image, str(blocks)], check=True, capture_output=True)


@contextmanager
def booted(
    image: str, blocks: int | None = None, kernel: str = "monolithic", **settings: Any
) -> Iterator[System]:
    """A system on an image, which fsck.minix has to find clean afterwards."""
    disk = {"image": image} if blocks is None else {"image": image, "blocks": blocks}
    with boot(kernel, FileSystem, config={Disk: disk, FileSystem: settings}) as system:
        yield system
    assert fsck(image) == ""


@contextmanager
def mounted(image: str | None = None, **settings: Any) -> Iterator[FileSystem]:
    """A file system without a kernel: its operations take the caller first."""
    store = Region.create("disk")
    disk = {name: settings.pop(name) for name in ("blocks", "erase") if name in settings}
    medium = None
    try:
        medium = Disk(store, image, **disk)
        yield FileSystem(medium, **settings)
    finally:
        if medium is not None:
            medium._stopping()
        store.close()


class Bound:
    """A file system without a kernel, as one caller sees it."""

    def __init__(self, files: FileSystem, caller: Caller) -> None:
        self._files = files
        self._caller = caller

    def call(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        return getattr(self._files, name)(self._caller, *arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        return partial(self.call, name)


def read_file(files: FileSystem, path: str) -> bytes:
    """All of a file."""
    descriptor = files.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := files.read(descriptor, 1 << 24):
            parts.append(part)
        return b"".join(parts)
    finally:
        files.close(descriptor)


def write_file(files: FileSystem, path: str, data: bytes) -> None:
    """A new file, or an old one with new content."""
    descriptor = files.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        assert files.write(descriptor, data) == len(data)
    finally:
        files.close(descriptor)
