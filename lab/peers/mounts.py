"""File systems of other processes, mounted for a while.

Both are mounted without the host's caches (of attributes, names and pages): what is measured is the
way of a request into another process and back, which is what a message of the microkernel is.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

from lab.dispatch import ROOT
from lab.refusal import Failure

PATIENCE: Final = 10.0
"""Seconds that mounting may take."""
_UNCACHED: Final = "attr_timeout=0,entry_timeout=0"


class MissingError(Exception):
    """A peer is not here; the text says why, and what would help."""


def require_fuse() -> None:
    """MissingError where this process can't mount anything."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise MissingError("there is no /dev/fuse that this user may open")
    if shutil.which("fusermount3") is None:
        raise MissingError("there is no fusermount3 (Debian's package fuse3)")


@contextmanager
def minimal(directory: str) -> Iterator[None]:
    """The minimal file system of mfusepy."""
    require_fuse()
    if find_spec("mfusepy") is None:
        raise MissingError("the package mfusepy is not installed (the extra `peers`)")
    command = [sys.executable, "-P", "-m", "lab.peers.minimal", directory]
    with _mounted(command, directory):
        yield


@contextmanager
def bindfs(source: str, directory: str) -> Iterator[None]:
    """A directory passed through by bindfs, in C."""
    require_fuse()
    if shutil.which("bindfs") is None:
        raise MissingError("there is no bindfs (Debian's package bindfs)")
    about = subprocess.run(["bindfs", "--help"], check=False, capture_output=True, text=True)
    direct = ["--direct-io"] if "--direct-io" in about.stdout else ["-o", "direct_io"]
    with _mounted(["bindfs", "-f", *direct, "-o", _UNCACHED, source, directory], directory):
        yield


@contextmanager
def _mounted(command: Sequence[str], directory: str) -> Iterator[None]:
    device = os.stat(directory).st_dev
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,  # Ctrl-C is ours: it unmounts
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        try:
            _await(process, directory, device)
            yield
        finally:
            _unmount(process, directory)


def _await(process: subprocess.Popen[str], directory: str, device: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while os.stat(directory).st_dev == device:
        if process.poll() is not None:
            said = process.stderr.read().strip() if process.stderr is not None else ""
            raise MissingError(f"{process.args[0]!s} could not mount: {said or 'no reason given'}")  # type: ignore[index]  # a list
        if time.monotonic() > deadline:
            raise Failure(f"{directory} was not mounted within {PATIENCE:.0f} s.")
        time.sleep(0.01)


def _unmount(process: subprocess.Popen[str], directory: str) -> None:
    for command in (["fusermount3", "-u", directory], ["fusermount3", "-u", "-z", directory]):
        if process.poll() is not None:
            return
        subprocess.run(command, check=False, capture_output=True)
        try:
            process.wait(PATIENCE / 2)
        except subprocess.TimeoutExpired:
            continue
    if process.poll() is None:
        process.kill()
