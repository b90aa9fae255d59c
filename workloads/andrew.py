"""The Andrew benchmark: five phases over a source tree (Howard et al., ACM TOCS 6(1), 1988).

The last one is a control: it computes so much that it hides what files cost.
"""

import os
import sysconfig
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from servers.disk import Disk
from servers.filesystem import FileSystem
from workloads.steps import Step, opened, perform
from workloads.tree import Tree, gather
from workloads.workload import Operation, Program, equals, workload

ROOT: Final = "/andrew"
CHUNK: Final = 8192
"""Bytes of one write of byte code."""

Phase = Callable[[FileSystem, Tree], Any]


def make_folders(fs: FileSystem, tree: Tree) -> list[Any]:
    """1: make the directories."""
    return [fs.mkdir(f"{ROOT}/{folder}") for folder in tree.folders]


def copy(fs: FileSystem, tree: Tree) -> list[Any]:
    """2: copy every file."""
    return perform(fs, [Step("create", f"{ROOT}/{p}", data) for p, data in tree.files.items()])


def scan(fs: FileSystem, tree: Tree) -> list[Any]:
    """3: stat every file; its contents are not looked at."""
    return perform(fs, [Step("stat", f"{ROOT}/{path}") for path in tree.files])


def read(fs: FileSystem, tree: Tree) -> list[Any]:
    """4: read every byte of every file."""
    return perform(fs, [Step("read", f"{ROOT}/{path}") for path in tree.files])


def make(fs: FileSystem, tree: Tree) -> list[Any]:
    """5: read and compile every file, and write what comes of it."""
    return [_compile(fs, f"{ROOT}/{path}") for path in tree.files]


PHASES: Final[dict[str, Phase]] = {
    "mkdir": make_folders,
    "copy": copy,
    "scan": scan,
    "read": read,
    "make": make,
}


_macro: Final = partial(
    workload,
    config={Disk: {"blocks": 64 * 1024}},
    quick={"files": 10},
    macro=True,
    extra=True,
)


@_macro("macro", {"andrew": {"phase": "all"}})
@_macro("andrew-phases", {f"andrew-{phase}": {"phase": phase} for phase in PHASES})
def andrew(
    fs: FileSystem, phase: str, tree: str = sysconfig.get_path("stdlib"), files: int = 40
) -> Program:
    """Andrew: make directories, copy, stat all, read all, compile all; here, phase: {phase}.

    Tree: {tree}, of which the first {files:,} files in sorted order. Phases before the one
    that is timed run untimed. The compiler is Python's own; what it makes is written beside the
    source. Sizes, contents and byte code are compared.
    """
    source = gather(Path(tree), files)
    fs.mkdir(ROOT)
    timed = list(PHASES) if phase == "all" else [phase]
    for before in list(PHASES)[: list(PHASES).index(timed[0])]:
        _check(before, source)(PHASES[before](fs, source))

    def check(results: Sequence[Any]) -> None:
        for name, result in zip(timed, results, strict=True):
            _check(name, source)(result)

    yield Operation(lambda: [PHASES[name](fs, source) for name in timed], check)
    fs.sync()


def byte_code(source: bytes, path: str) -> bytes:
    """What the compiler makes of a source; of one that it can't read, nothing."""
    try:
        return compile(source, path, "exec", dont_inherit=True, optimize=0).co_code
    except (SyntaxError, ValueError):
        return b""


def _compile(fs: FileSystem, path: str) -> int:
    (source,) = perform(fs, [Step("read", path)])
    code = byte_code(source, path)
    with opened(fs, f"{path}.o", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
        return sum(fs.write(fd, code[i : i + CHUNK]) for i in range(0, len(code), CHUNK))


def _check(phase: str, tree: Tree) -> Callable[[Any], None]:
    """The check of a phase's results."""
    contents = list(tree.files.values())
    wanted: dict[str, list[Any]] = {
        "mkdir": [None] * len(tree.folders),
        "copy": [None] * len(contents),
        "scan": [len(data) for data in contents],
        "read": contents,
    }
    if phase == "make":
        wanted["make"] = [
            len(byte_code(data, f"{ROOT}/{path}")) for path, data in tree.files.items()
        ]
    return equals(wanted[phase])
