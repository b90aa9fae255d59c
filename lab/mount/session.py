"""A session: mounted, served until somebody ends it, and unmounted."""

import os
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pyfuse3
import trio

from kernels import System
from lab.mount.operations import MountedFiles
from lab.refusal import Refusal
from servers.filesystem import FileSystem

DEVICE: Final = "/dev/fuse"
WRITE_BACK: Final = 5.0
"""Seconds after which what was written is in the image at the latest."""
_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def require_place(directory: str) -> None:
    """Refuse what can't be mounted on, before anything is booted.

    Raises:
        Refusal: there is no FUSE here, or no empty directory.
    """
    if not os.path.exists(DEVICE):
        raise Refusal(f"there is no {DEVICE}: this host has no FUSE, or does not share it.")
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        raise Refusal(f"{DEVICE} may not be opened by this user.")
    try:
        if not stat.S_ISDIR(os.stat(directory).st_mode):
            raise Refusal(f"{directory} is no directory.")
        if os.listdir(directory):
            raise Refusal(f"{directory} is not empty: what is in it would be hidden.")
    except OSError as error:
        raise Refusal(f"{directory} can't be mounted on: {error.strerror}.") from None


def serve(
    system: System, directory: str, *, name: str, read_only: bool, ready: Callable[[], None]
) -> None:
    """Mount, answer requests until a signal or `umount` ends it, and unmount.

    Args:
        system: the file system.
        directory: where; `require_place` has seen it.
        name: what the table of mounts calls it.
        read_only: whether the host is to refuse whatever would change something.
        ready: called when it is mounted.

    Raises:
        Refusal: the host does not allow it.
        KernelPanic: the system panicked; it has been unmounted.
    """
    options = {"default_permissions", "subtype=twinos", f"fsname={_plain(name)}"}
    if os.geteuid() == 0:
        options.add("allow_other")
    if read_only:
        options.add("ro")
    operations = MountedFiles(system)
    with _deaf():  # but for the time in which a signal is waited for
        _mount(operations, directory, options)
        try:
            trio.run(_answer, ready, operations, read_only)
        finally:
            pyfuse3.close()
        if operations.panic is None and not read_only:
            system[FileSystem].sync()
    if operations.panic is not None:
        raise operations.panic


@contextmanager
def _deaf() -> Iterator[None]:
    """Let no signal end this process while something is mounted."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _plain(name: str) -> str:
    """A name that can be among options."""
    return "".join(letter if letter.isascii() and letter not in ",\\" else "?" for letter in name)


def _mount(operations: Any, directory: str, options: set[str]) -> None:
    with _heard() as said:
        try:
            pyfuse3.init(operations, directory, options)
        except RuntimeError:
            why = said() or "FUSE says no"
            raise Refusal(f"{directory} can't be mounted on: {why}.") from None


@contextmanager
def _heard() -> Iterator[Callable[[], str]]:
    """What the C library writes to standard error, to be said in a sentence of ours."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)

        def said() -> str:
            heard.seek(0)
            lines = heard.read().decode(errors="replace").split("\n")
            return "; ".join(filter(None, (line.strip() for line in lines)))

        try:
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)


async def _answer(ready: Callable[[], None], operations: MountedFiles, read_only: bool) -> None:
    with trio.open_signal_receiver(*_ENDS) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_one_comes, signals)
            if not read_only:
                nursery.start_soon(_write_back, operations)
            ready()
            await pyfuse3.main()
            nursery.cancel_scope.cancel()


async def _write_back(operations: MountedFiles) -> None:
    """Write back now and then, as the host does: its `sync` does not reach a FUSE file system."""
    while True:
        await trio.sleep(WRITE_BACK)
        with suppress(pyfuse3.FUSEError):  # whoever asks for it by `fsync` is told
            await operations.fsyncdir(0, False)


async def _until_one_comes(signals: Any) -> None:
    async for _ in signals:
        pyfuse3.terminate()
        return
