"""All peers timed in one run, in turns.

A *round* visits every peer once, in random order. A visit does each operation of the mix on some
dozens of files, a batch at a time; its value is the batch's time over its length. So whatever the
host does to one round it does to all peers, and they are compared round by round.
"""

import math
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

from kernels import boot
from lab.peers import mounts
from lab.peers.mixes import (
    DATA,
    LARGE,
    LISTED,
    PAGE,
    Descriptors,
    Mix,
    OfFsspec,
    OfPyFilesystem,
    OfTwinOS,
)  # fmt: skip
from lab.peers.mounts import MissingError
from lab.placement import Cpus, pin
from lab.progress import Progress
from lab.refusal import Refusal
from servers.filesystem import FileSystem

OPERATIONS: Final = (
    "create",
    "write 4K",
    "read 4K",
    "stat",
    "open+close",
    "list 100",
    "rename",
    "unlink",
    "write 1M",
    "read 1M",
)
BASE: Final = "tmpfs"
MONOLITHIC: Final = "monolithic"
MICROKERNEL: Final = "microkernel"
MFUSEPY: Final = "mfusepy"
BINDFS: Final = "bindfs"

FILES: Final = 200
"""Files that a batch names."""
PASSES: Final = 3
"""How often a batch goes through them, where an operation can be repeated."""
PAGES: Final = 16
"""Pages of the file that is read and written by pages."""
LARGE_FILES: Final = 2


class Measured(NamedTuple):
    """What a run gave.

    Attributes:
        times: by peer and operation, nanoseconds of each round.
        missing: peers that are not here, and why.
        seed: of the order of visits.
    """

    times: Mapping[str, Mapping[str, Sequence[float]]]
    missing: Mapping[str, str]
    seed: int

    def scores(self, peer: str, base: str = BASE) -> list[float]:
        """How many times as fast as `base` a peer was, by the geometric mean, round by round."""
        rounds = len(self.times[peer][OPERATIONS[0]])
        return [
            math.exp(
                sum(
                    math.log(self.times[base][name][number] / self.times[peer][name][number])
                    for name in OPERATIONS
                )
                / len(OPERATIONS)
            )
            for number in range(rounds)
        ]


def measure(rounds: int, seed: int, cpus: Cpus) -> Measured:
    """Time every peer that is here.

    Args:
        rounds: how often each is visited.
        seed: of the order of visits.
        cpus: where they run: all on the processor of the user.

    Raises:
        Refusal: this host has no tmpfs.
    """
    rng = random.Random(seed)
    pin(cpus.user)
    with ExitStack() as stack:
        peers, missing = _all_peers(stack, cpus)
        times: dict[str, dict[str, list[float]]] = {
            name: {operation: [] for operation in OPERATIONS} for name in peers
        }
        for mix in peers.values():
            _prepare(mix)
            _check(mix)
            _visit(mix)  # warm
        progress = stack.enter_context(Progress(rounds, "round"))
        for _ in range(rounds):
            progress.begin(", ".join(peers))
            for name in rng.sample(list(peers), len(peers)):
                for operation, taken in _visit(mix := peers[name]).items():
                    times[name][operation].append(taken)
                del mix
            progress.step()
    return Measured(times, missing, seed)


def _all_peers(stack: ExitStack, cpus: Cpus) -> tuple[dict[str, Mix], dict[str, str]]:
    """Every peer that is here, and why the others are not; processes first, while there is one."""
    folder = stack.enter_context(_tmpfs())
    makers: dict[str, Callable[[], Mix]] = {
        MICROKERNEL: lambda: _ours(stack, MICROKERNEL, cpus),
        MONOLITHIC: lambda: _ours(stack, MONOLITHIC, cpus),
        BASE: lambda: _host(os.path.join(folder, "tmpfs")),
        "fsspec memory": _fsspec,
        "MemoryFS": lambda: _pyfilesystem(stack),
        MFUSEPY: lambda: _minimal(stack, folder),
        BINDFS: lambda: _bindfs(stack, folder),
    }
    peers: dict[str, Mix] = {}
    missing: dict[str, str] = {}
    for name, make in makers.items():
        try:
            peers[name] = make()
        except MissingError as why:
            missing[name] = str(why)
    order = [BASE, MONOLITHIC, MICROKERNEL, "fsspec memory", "MemoryFS", MFUSEPY, BINDFS]
    return {name: peers[name] for name in order if name in peers}, missing


def _tmpfs() -> tempfile.TemporaryDirectory[str]:
    if not os.access("/dev/shm", os.W_OK):  # noqa: S108 (the host's tmpfs is the baseline)
        raise Refusal("--peers compares with the host's tmpfs, and there is no /dev/shm.")
    return tempfile.TemporaryDirectory(prefix="twinos-peers-", dir="/dev/shm")


def _ours(stack: ExitStack, kernel: str, cpus: Cpus) -> Mix:
    system = stack.enter_context(boot(kernel, FileSystem, cpus={cpus.user}))
    return OfTwinOS(system[FileSystem])


def _host(directory: str) -> Mix:
    os.mkdir(directory)
    return Descriptors(os, directory)


def _fsspec() -> Mix:
    try:
        from fsspec.implementations.memory import MemoryFileSystem  # noqa: PLC0415 (an extra)
    except ImportError:
        raise MissingError("the package fsspec is not installed (the extra `peers`)") from None
    files = MemoryFileSystem(skip_instance_cache=True)
    files.store, files.pseudo_dirs = {}, [""]  # or else it would be that of the whole process
    return OfFsspec(files)


def _pyfilesystem(stack: ExitStack) -> Mix:
    try:
        from fs.memoryfs import MemoryFS  # noqa: PLC0415 (an extra)
    except ImportError:
        raise MissingError(
            "the package fs is not installed, with setuptools<81 (the extra `peers`)"
        ) from None
    files = MemoryFS()
    stack.callback(files.close)
    return OfPyFilesystem(files)


def _minimal(stack: ExitStack, folder: str) -> Mix:
    directory = os.path.join(folder, "mfusepy")
    os.mkdir(directory)
    stack.enter_context(mounts.minimal(directory))
    return _host(os.path.join(directory, "mix"))


def _bindfs(stack: ExitStack, folder: str) -> Mix:
    source, directory = os.path.join(folder, "source"), os.path.join(folder, "bindfs")
    os.mkdir(source)
    os.mkdir(directory)
    stack.enter_context(mounts.bindfs(source, directory))
    return _host(os.path.join(directory, "mix"))


def _prepare(mix: Mix) -> None:
    """A directory with as many files as are listed; one of them is for pages."""
    for number in range(LISTED):
        mix.create(f"kept{number}")
    handle = mix.handle("kept0")
    for page in range(PAGES):
        mix.put(handle, page * PAGE)
    mix.let_go(handle)


def _check(mix: Mix) -> None:
    """That every operation does what it is timed for."""
    handle = mix.handle("kept0")
    held = mix.get(handle, PAGE) == DATA
    mix.let_go(handle)
    mix.write_large("large")
    whole = mix.read_large("large") == LARGE == mix.size("large")
    mix.rename("large", "moved")
    mix.unlink("moved")
    if not (held and whole and len(mix.names()) == LISTED):
        raise AssertionError(f"{type(mix).__name__} does not do what it is asked for")


def _visit(mix: Mix) -> dict[str, float]:
    """Each operation once; nanoseconds for one of it."""
    return dict(_timed(mix))


def _timed(mix: Mix) -> Iterator[tuple[str, float]]:
    names = [f"file{number}" for number in range(FILES)]
    pairs = [(name, f"{name}-moved") for name in names]
    large = [(f"large{number}",) for number in range(LARGE_FILES)]
    once = [(name,) for name in names]
    handle = mix.handle("kept0")
    pages = [(handle, number % PAGES * PAGE) for number in range(FILES)]
    yield "list 100", _batch(mix.names, [()] * (FILES // 4))
    yield "create", _batch(mix.create, once)
    yield "write 4K", _batch(mix.put, pages * PASSES)
    yield "read 4K", _batch(mix.get, pages * PASSES)
    yield "stat", _batch(mix.size, once * PASSES)
    yield "open+close", _batch(mix.open_close, once * PASSES)
    yield "rename", _batch(mix.rename, pairs)
    yield "unlink", _batch(mix.unlink, [(other,) for _, other in pairs])
    yield "write 1M", _batch(mix.write_large, large)
    yield "read 1M", _batch(mix.read_large, large)
    mix.let_go(handle)
    for (name,) in large:
        mix.unlink(name)


def _batch(call: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> float:
    start = perf_counter_ns()
    for each in arguments:
        call(*each)
    return (perf_counter_ns() - start) / len(arguments)
