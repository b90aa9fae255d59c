"""Files from end to end, in steps; one operation is a whole file."""

import os
from typing import Final

from servers.disk import Disk
from servers.filesystem import FileSystem
from workloads.files import content
from workloads.workload import Config, Operation, Options, Program, equals, workload

KIB: Final = 1024
MIB: Final = 1024 * KIB

ROOMY: Final[Config] = {Disk: {"blocks": 96 * KIB}}
"""A disk of 96 MiB, for a file of 64."""


def _variants(verb: str, mib: int) -> dict[str, Options]:
    return {
        f"{verb}-{mib}m-by-{step}k": {"size": mib * MIB, "step": step * KIB} for step in (4, 64)
    }


def read_all(fs: FileSystem, size: int, step: int) -> Program:
    """Open a file of {size:,} B, read it in steps of {step:,} B, close it."""
    data = content(size)
    _write(fs, data, 64 * KIB)

    def read() -> list[bytes]:
        fd = fs.open("/sequential", os.O_RDONLY)
        chunks = []
        while chunk := fs.read(fd, step):
            chunks.append(chunk)
        fs.close(fd)
        return chunks

    def check(chunks: list[bytes]) -> None:
        equals(data)(b"".join(chunks))

    yield Operation(read, check)
    fs.unlink("/sequential")


def write_all(fs: FileSystem, size: int, step: int) -> Program:
    """Open and truncate a file, write {size:,} B in steps of {step:,} B, close it."""
    data = content(size)
    yield Operation(lambda: _write(fs, data, step))
    fd = fs.open("/sequential", os.O_RDONLY)
    for start in range(0, size, MIB):
        equals(data[start : start + MIB])(fs.read(fd, MIB))
    fs.close(fd)
    fs.unlink("/sequential")


def _write(fs: FileSystem, data: bytes, step: int) -> None:
    fd = fs.open("/sequential", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for start in range(0, len(data), step):
        chunk = data[start : start + step]
        equals(len(chunk))(fs.write(fd, chunk))
    fs.close(fd)


for _verb, _function in {"read": read_all, "write": write_all}.items():
    workload("files", _variants(_verb, 1))(_function)
    workload("files", _variants(_verb, 64), config=ROOMY, macro=True, extra=True)(_function)
