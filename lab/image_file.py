"""Image files on the host: recognised, and changed as a whole or not at all."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from lab.image_host import parts, write_parts
from lab.refusal import Refusal
from servers.disk.image import is_current, lock
from servers.filesystem.check import FileImage
from servers.filesystem.check.superblock import is_an_image

_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_size(text: str) -> int:
    """A size as it is written, `8M`, in bytes.

    Raises:
        Refusal: it is no size, or no whole number of KiB.
    """
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    if not (number.isdecimal() and number.isascii() and unit in _UNITS):
        raise Refusal(f"--size is a number of bytes, or of K, M or G, not {text!r}.")
    size = int(number) * _UNITS[unit]
    if size % 1024 or not 0 < size < 1 << 42:
        raise Refusal("--size is a number of KiB from 10 to 4294967295.")
    return size


@contextmanager
def opened(path: str, *, unsure: bool = False) -> Iterator[FileImage]:
    """An image, to be read without booting.

    Args:
        path: where it is.
        unsure: whether anything will do, in case it was an image.

    Raises:
        Refusal: there is none, or it is something else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refusal(f"{path} can't be opened: {why}.") from None
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if kind not in {stat.S_IFREG, stat.S_IFBLK}:
            raise Refusal(f"{path} is neither a file nor a disk.")
        _lock(descriptor, path, shared=True)
        image = FileImage(descriptor)
        if not (unsure or is_an_image(image)):
            raise Refusal(f"{path} holds no MINIX version 3 file system.")
        yield image
    finally:
        os.close(descriptor)


@contextmanager
def draft(path: str, *, size: int | None = None) -> Iterator[str]:
    """A file that takes the place of `path` when the context ends well, and vanishes otherwise.

    Args:
        path: where there is an image, or is to be one. A disk is changed in its place.
        size: bytes, all zero, with which it begins; None means a copy of what is there.
    """
    path = os.path.realpath(path)
    if size is None and stat.S_ISBLK(os.stat(path).st_mode):
        yield path
        return
    with ExitStack() as held:
        original = None if size is not None else held.enter_context(_held(path))
        folder, name = os.path.split(path)
        descriptor, place = tempfile.mkstemp(prefix=f".{name[:100]}.", dir=folder)
        try:
            try:
                if original is not None:
                    _copy(original, descriptor)
                else:
                    os.ftruncate(descriptor, size or 0)
                    os.fchmod(descriptor, 0o666 & ~_umask())
                yield place
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(place, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(place)
            raise


@contextmanager
def _held(path: str) -> Iterator[int]:
    """An image, open and kept from all others: what they changed now would be lost.

    Raises:
        Refusal: somebody else has it.
    """
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _lock(descriptor, path, shared=False)
            if is_current(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _lock(descriptor: int, path: str, *, shared: bool) -> None:
    try:
        lock(descriptor, path, shared=shared)
    except OSError as error:
        raise Refusal(f"{error.strerror}.") from None


@contextmanager
def filled_directory(path: str) -> Iterator[str]:
    """A directory to fill that becomes `path` when the context ends well.

    Raises:
        Refusal: something is there already that is no empty directory.
    """
    if os.path.lexists(path):
        if not os.path.isdir(path) or os.listdir(path):
            raise Refusal(f"{path} is there already, and is no empty directory.")
        try:
            yield path
        except BaseException:
            for name in os.listdir(path):
                _remove(os.path.join(path, name))
            raise
        return
    folder, name = os.path.split(os.path.abspath(path))
    place = tempfile.mkdtemp(prefix=f".{name[:100]}.", dir=folder)
    try:
        yield place
        os.rename(place, path)
    except BaseException:
        _remove(place)
        raise


def reason(error: Exception) -> str:
    """Why something went wrong, for the end of a sentence."""
    if isinstance(error, OSError) and error.strerror:
        about = f": {error.filename}" if error.filename is not None else ""
        return f"{error.strerror}{about}"
    return str(error)


def _copy(source: int, target: int) -> None:
    """Copy a file with its holes, permissions and, where that is allowed, owner."""
    found = os.fstat(source)
    os.ftruncate(target, found.st_size)
    write_parts(target, parts(source))
    with suppress(PermissionError):
        os.fchown(target, found.st_uid, found.st_gid)
    os.fchmod(target, stat.S_IMODE(found.st_mode))


def _umask() -> int:
    old = os.umask(0o077)
    os.umask(old)
    return old


def _remove(place: str) -> None:
    """Remove a file, or a directory and all that is in it, however deep."""
    if not _is_directory(place):
        os.unlink(place)
        return
    with suppress(OSError):
        while names := os.listdir(place):
            for name in names:
                _flatten(os.path.join(place, name), place)
        os.rmdir(place)


def _flatten(path: str, place: str) -> None:
    """Remove a file, or a directory from which what is in it is moved up to `place`."""
    if not _is_directory(path):
        os.unlink(path)
        return
    os.chmod(path, 0o700)
    for name in os.listdir(path):
        inside = os.path.join(path, name)
        if _is_directory(inside):
            os.rename(inside, tempfile.mkdtemp(prefix=".going-", dir=place))
        else:
            os.unlink(inside)
    os.rmdir(path)


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
