"""`twinos cache`: what the file system keeps in memory while a large file goes through it."""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from tabulate import tabulate

from kernels import boot
from lab import meter
from lab.choice import parse
from lab.image_file import parse_size, reason
from lab.image_listing import say
from lab.progress import Progress
from lab.refusal import Failure, Refusal
from servers.disk import Disk
from servers.filesystem import FileSystem, MemoryUse
from servers.filesystem.layout import BLOCK_SIZE, MAX_SIZE
from twinos import BootError, Service

EPILOG: Final = """\
A file is written from end to end and read back, by a program in a system whose disk is a sparse
file of the host. What the file system keeps is bounded by its setting `memory`, and so is what
all processes of the system take of the host: under the microkernel with up to 4 MiB for each
channel beside it.

examples:
  twinos cache                                 1 GiB through 64 MiB
  twinos cache --size 200M --memory 8M --kernel microkernel

exit status: 0 it stayed within the bound, 1 it did not, or something failed, 2 asked for what
there is not
"""
STEP: Final = 1 << 18
"""Bytes that one request writes or reads."""
LOOKS: Final = 64
"""How often the host is asked in one pass."""
MIB: Final = 1 << 20


BESIDE: Final = 4 << 10
"""KiB that a system may take beside its caches: once, and for each end of a channel."""
_ENDS: Final = 2
"""Of channels, for each address space that is not the user's own."""


class Pass(NamedTuple):
    """One way through the file.

    Attributes:
        name: what was done.
        use: what the file system kept at its end.
        peak: the most memory that the system took of the host, in KiB.
    """

    name: str
    use: MemoryUse
    peak: int


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("--size", default="1G", help="of the file, with K, M or G; 1G")
    parser.add_argument("--memory", default="64M", help="of the file system; 64M")
    parser.add_argument("--kernel", default="monolithic", metavar="K", help="as in bench")


def execute(arguments: argparse.Namespace) -> int:
    """Boot, write, read, and say what was kept."""
    size, memory = parse_size(arguments.size), parse_size(arguments.memory)
    if size % STEP or size > MAX_SIZE:
        raise Refusal(f"--size is a number of {STEP >> 10}K, and less than 2G.")
    if memory < MIB:
        raise Refusal("--memory is 1M or more.")
    choice = parse(arguments.kernel)
    with tempfile.TemporaryDirectory(prefix="twinos-cache-") as folder:
        config: dict[type[Service], dict[str, Any]] = {
            Disk: {
                "image": os.path.join(folder, "image"),
                "blocks": size // BLOCK_SIZE * 9 // 8 + 8192,
            },
            FileSystem: {"memory": memory, "inodes": 64},
        }
        others = meter.descendants(os.getpid())
        try:
            with boot(
                choice.kernel,
                FileSystem,
                config=config,
                groups=choice.partition([FileSystem]),
            ) as system:
                pids = meter.descendants(os.getpid(), without=others)
                files = system[FileSystem]
                before = meter.memory_kib(pids)
                spaces = 0 if choice.kernel == "monolithic" else len(system.status())
                bound = (memory >> 10) + BESIDE * (1 + _ENDS * spaces)
                passes = list(_passes(files, size, lambda: meter.memory_kib(pids)))
        except BootError as error:
            raise Refusal(f"the system does not boot: {error}.") from None
        except OSError as error:
            raise Failure(f"the system broke down: {reason(error)}.") from None
    for line in _told(arguments, before, passes):
        say(line)
    kept = max(step.peak for step in passes) - before <= bound
    say(f"The bound is {_mib(bound)}: {'kept' if kept else 'not kept'}.")
    return 0 if kept else 1


def _passes(files: FileSystem, size: int, take: Callable[[], int]) -> Iterator[Pass]:
    descriptor = files.open("/large", os.O_CREAT | os.O_RDWR)
    steps = size // STEP
    pattern = os.urandom(STEP - 8)

    def write(number: int) -> None:
        files.pwrite(descriptor, pattern + number.to_bytes(8, "little"), number * STEP)

    def read(number: int) -> None:
        data = files.pread(descriptor, STEP, number * STEP)
        if data[:-8] != pattern or int.from_bytes(data[-8:], "little") != number:
            raise Failure(f"what was read at {number * STEP} is not what was written.")

    with Progress(2 * steps, "request") as progress:
        for name, act in (("written", write), ("read back", read)):
            progress.begin(name)
            peak = take()
            for number in range(steps):
                act(number)
                progress.step()
                if number % -(-steps // LOOKS) == 0:
                    peak = max(peak, take())
            yield Pass(name, files.memory(), max(peak, take()))
    files.close(descriptor)


def _told(arguments: argparse.Namespace, before: int, passes: list[Pass]) -> Iterator[str]:
    yield f"{arguments.size} through {arguments.memory}, {arguments.kernel}"
    yield ""
    rows = [
        [
            name,
            *(_amount(name, getattr(step.use, name)) for step in passes),
        ]
        for name in MemoryUse._fields
    ]
    rows.append(["taken of the host, at most", *(f"{_mib(step.peak - before)}" for step in passes)])
    headers = ["the file system keeps", *(step.name for step in passes)]
    yield tabulate(
        rows, headers, colalign=("left", *["right"] * len(passes)), disable_numparse=True
    )
    yield ""
    yield f"The system took {_mib(before)} when it had booted; what it took since then is above."


def _amount(name: str, value: int) -> str:
    return _mib(value >> 10) if name in {"limit", "used"} else f"{value:,}"


def _mib(kib: int) -> str:
    return f"{kib * 1024 / MIB:,.1f} MiB"
