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
from lab.peers.alone import Alone, alone
from lab.peers.mixes import (
    DATA,
    LARGE,
    PAGE,
    Call,
    Mix,
    by_descriptors,
    by_fsspec,
    by_pyfilesystem,
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

LISTED: Final = 100
"""Files that are there all the time, and listed."""
FILES: Final = 200
"""Files that a batch names."""
PASSES: Final = 3
"""How often a batch goes through them, where an operation can be repeated."""
PAGES: Final = 16
"""Pages of the file that is read and written by pages."""
LARGE_FILES: Final = 2


class Peer(NamedTuple):
    """A file system, and where in it the work is done."""

    mix: Mix
    directory: str


class Measured(NamedTuple):
    """What a run gave.

    Attributes:
        times: by peer and operation, nanoseconds of each round.
        missing: peers that are not here, and why.
        seed: of the order of visits.
        alone: what our kernels come to beside the mix.
    """

    times: Mapping[str, Mapping[str, Sequence[float]]]
    missing: Mapping[str, str]
    seed: int
    alone: Mapping[str, Alone] = {}

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
        for peer in peers.values():
            prepare(peer)
            check(peer)
            visit(peer)  # warm
        progress = stack.enter_context(Progress(rounds, "round"))
        for _ in range(rounds):
            progress.begin(", ".join(peers))
            for name in rng.sample(list(peers), len(peers)):
                for operation, taken in visit(peers[name]):
                    times[name][operation].append(taken)
            progress.step()
    ours = {kernel: alone(kernel, cpus) for kernel in (MONOLITHIC, MICROKERNEL)}
    return Measured(times, missing, seed, ours)


def _all_peers(stack: ExitStack, cpus: Cpus) -> tuple[dict[str, Peer], dict[str, str]]:
    """Every peer that is here, and why the others are not; processes first, while there is one."""
    folder = stack.enter_context(_tmpfs())
    makers: dict[str, Callable[[], Peer]] = {
        MICROKERNEL: lambda: _ours(stack, MICROKERNEL, cpus),
        MONOLITHIC: lambda: _ours(stack, MONOLITHIC, cpus),
        BASE: lambda: _host(os.path.join(folder, "tmpfs")),
        "fsspec memory": _fsspec,
        "MemoryFS": lambda: _pyfilesystem(stack),
        MFUSEPY: lambda: _minimal(stack, folder),
        BINDFS: lambda: _bindfs(stack, folder),
    }
    peers: dict[str, Peer] = {}
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


def _ours(stack: ExitStack, kernel: str, cpus: Cpus) -> Peer:
    system = stack.enter_context(boot(kernel, FileSystem, cpus={cpus.user}))
    return Peer(by_descriptors(system[FileSystem]), "/mix")


def _host(directory: str) -> Peer:
    return Peer(by_descriptors(os), directory)


def _fsspec() -> Peer:
    try:
        from fsspec.implementations.memory import MemoryFileSystem  # noqa: PLC0415 (an extra)
    except ImportError:
        raise MissingError("the package fsspec is not installed (the extra `peers`)") from None
    files = MemoryFileSystem(skip_instance_cache=True)
    files.store, files.pseudo_dirs = {}, [""]  # or else it would be that of the whole process
    return Peer(by_fsspec(files), "/mix")


def _pyfilesystem(stack: ExitStack) -> Peer:
    try:
        from fs.memoryfs import MemoryFS  # noqa: PLC0415 (an extra)
    except ImportError:
        raise MissingError(
            "the package fs is not installed, with setuptools<81 (the extra `peers`)"
        ) from None
    files = MemoryFS()
    stack.callback(files.close)
    return Peer(by_pyfilesystem(files), "/mix")


def _minimal(stack: ExitStack, folder: str) -> Peer:
    directory = os.path.join(folder, "mfusepy")
    os.mkdir(directory)
    stack.enter_context(mounts.minimal(directory))
    return _host(os.path.join(directory, "mix"))


def _bindfs(stack: ExitStack, folder: str) -> Peer:
    source, directory = os.path.join(folder, "source"), os.path.join(folder, "bindfs")
    os.mkdir(source)
    os.mkdir(directory)
    stack.enter_context(mounts.bindfs(source, directory))
    return _host(os.path.join(directory, "mix"))


def prepare(peer: Peer) -> None:
    """Make a directory with as many files as are listed; one of them is for pages."""
    mix, directory = peer
    mix.mkdir(directory)
    for number in range(LISTED):
        mix.create(f"{directory}/kept{number}")
    handle = mix.handle(f"{directory}/kept0")
    for page in range(PAGES):
        mix.put(handle, DATA, page * PAGE)
    mix.let_go(handle)


def check(peer: Peer) -> None:
    """See that every operation does what it is timed for.

    Raises:
        AssertionError: one does not.
    """
    mix, directory = peer
    handle = mix.handle(f"{directory}/kept0")
    held = mix.get(handle, PAGE, PAGE) == DATA
    mix.let_go(handle)
    large, moved = f"{directory}/large", f"{directory}/moved"
    mix.write_large(large)
    whole = mix.read_large(large) == LARGE == mix.size(large)
    mix.rename(large, moved)
    mix.unlink(moved)
    if not (held and whole and len(mix.names(directory)) == LISTED):
        raise AssertionError(f"what is in {directory} is not what was put there")


def visit(peer: Peer) -> Iterator[tuple[str, float]]:
    """Do each operation for a while; its name, and nanoseconds for one of it."""
    mix, directory = peer
    paths = [f"{directory}/file{number}" for number in range(FILES)]
    once = [(path,) for path in paths]
    moves = [(path, f"{path}-moved") for path in paths]
    large = [(f"{directory}/large{number}",) for number in range(LARGE_FILES)]
    handle = mix.handle(f"{directory}/kept0")
    offsets = [number % PAGES * PAGE for number in range(FILES)]
    writes = [(handle, DATA, offset) for offset in offsets]
    reads = [(handle, PAGE, offset) for offset in offsets]
    yield "list 100", _batch(mix.names, [(directory,)] * (FILES // 4))
    yield "create", _batch(mix.create, once)
    yield "write 4K", _batch(mix.put, writes * PASSES)
    yield "read 4K", _batch(mix.get, reads * PASSES)
    yield "stat", _batch(mix.stat, once * PASSES)
    yield "open+close", _batch(mix.open_close, once * PASSES)
    yield "rename", _batch(mix.rename, moves)
    yield "unlink", _batch(mix.unlink, [(moved,) for _, moved in moves])
    yield "write 1M", _batch(mix.write_large, large)
    yield "read 1M", _batch(mix.read_large, large)
    mix.let_go(handle)
    for (path,) in large:
        mix.unlink(path)


def _batch(call: Call, arguments: Sequence[tuple[Any, ...]]) -> float:
    start = perf_counter_ns()
    for each in arguments:
        call(*each)
    return (perf_counter_ns() - start) / len(arguments)
