"""What Gradescope is given: an archive with TwinOS, one lab, and the packages that it needs.

    setup.sh         chooses a Python; installs only what is missing
    run_autograder   grades submission/, writes results/results.json
    tree/            TwinOS
    labs/            the lab with its hidden tests, without its solution
    packages/        msgspec, tabulate and tqdm, as installed here: for this version of Python;
                     pyseccomp, if it is

So a machine without a network, with this Python, grades as it is.
"""

import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from lab.grading.assignment import Assignment
from lab.refusal import Failure, Refusal

TEMPLATES: Final = Path(__file__).parent / "templates"
TREE: Final = ("twinos", "kernels", "servers", "workloads", "lab")
PACKAGES: Final = ("msgspec", "tabulate", "tqdm", "pyseccomp")
COMPILED: Final = "msgspec"
RUNNABLE: Final = 0o755
PLAIN: Final = 0o644
ALWAYS: Final = (1980, 1, 1, 0, 0, 0)
"""The date of every file: the same lab makes the same archive."""


def archive(assignment: Assignment, out: Path, versions: Sequence[str] = ()) -> None:
    """Write the archive of a lab.

    Args:
        assignment: the lab, with its hidden tests.
        out: the file.
        versions: of Python (`3.12`) for which msgspec is fetched from PyPI, beside this one.

    Raises:
        Refusal: it is a release, or the file is there.
        Failure: it can't be written, or msgspec can't be fetched.
    """
    if not (assignment.folder / "hidden").is_dir():
        raise Refusal(f"{assignment.folder} is a release: it has no hidden tests.")
    if out.exists():
        raise Refusal(f"{out} is there already.")
    files = dict(_files(assignment, versions))
    try:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in sorted(files.items()):
                entry = zipfile.ZipInfo(name, ALWAYS)
                mode = RUNNABLE if name in {"setup.sh", "run_autograder"} else PLAIN
                entry.external_attr = (0o100000 | mode) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                file.writestr(entry, data)
    except OSError as error:
        raise Failure(f"{out} can't be written: {error.strerror}.") from None


def _files(assignment: Assignment, versions: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in ("setup.sh", "run_autograder", "grade.py"):
        yield name, (TEMPLATES / name).read_bytes()
    labs = assignment.folder.parent.name
    yield "lab.json", json.dumps([assignment.name, labs]).encode()
    home = Path(__file__).resolve().parents[2]
    for package in TREE:
        yield from _below(home / package, f"tree/{package}")
    place = f"labs/{labs}/{assignment.name}"
    yield f"labs/{labs}/__init__.py", b'"""A lab."""\n'
    for path in assignment.given:
        yield f"{place}/{path.name}", path.read_bytes()
    for name, text in assignment.start.items():
        yield f"{place}/start/{name}", text.encode()
    yield from _below(assignment.folder / "hidden", f"{place}/hidden")
    yield from _packages()
    for version in versions:
        yield from _fetched(version)


def _below(folder: Path, place: str) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{place}/{path.relative_to(folder)}", path.read_bytes()


def _packages() -> Iterator[tuple[str, bytes]]:
    """The packages as they are installed here."""
    here = "cp{}{}".format(*sys.version_info[:2])
    for name in PACKAGES:
        place = here if name == COMPILED else "any"
        for path in _installed(name):
            if path.parts[0] in {name, f"{name}.py"} and "__pycache__" not in path.parts:
                data = Path(str(path.locate())).read_bytes()
                yield f"packages/{place}/{path}", data


def _installed(name: str) -> Iterable[metadata.PackagePath]:
    try:
        return metadata.files(name) or ()
    except metadata.PackageNotFoundError:  # an extra
        return ()


def _fetched(version: str) -> Iterator[tuple[str, bytes]]:
    """Msgspec for another version of Python, on the usual Linux."""
    with tempfile.TemporaryDirectory(prefix="twinos-wheels-") as folder:
        options = ["--only-binary=:all:", "--no-deps", "--quiet", "--dest", folder]
        target = ["--python-version", version, "--platform", "manylinux2014_x86_64"]
        command = [sys.executable, "-m", "pip", "download", *options, *target, COMPILED]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            said = done.stderr.strip().rpartition("\n")[2]
            raise Failure(f"{COMPILED} for Python {version} can't be fetched: {said}.")
        with zipfile.ZipFile(io.BytesIO(wheels[0].read_bytes())) as wheel:
            for name in wheel.namelist():
                if name.startswith(f"{COMPILED}/"):
                    yield f"packages/cp{version.replace('.', '')}/{name}", wheel.read(name)
