"""Where runs are kept: one file each, written once."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from lab import environment
from lab.journal import Header
from lab.refusal import Failure, Refusal
from lab.schema import Environment, Run, load, save

T = TypeVar("T")

UNFINISHED: Final = ".part"
"""What the journal of a run that is not complete ends in."""


def runs_folder() -> Path:
    """`results/runs` of the checkout around the current folder, or else of that folder itself."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "twinos").is_dir() and (folder / "results").is_dir():
            return folder / "results" / "runs"
    return here / "results" / "runs"


def unused(folder: Path, run: Run) -> Path:
    """A file name for a run; no run is written over (published ones are replaced)."""
    moment = datetime.fromisoformat(run.environment.date)
    name = _name(moment, run.environment.seed)
    candidates = [folder / f"{name}.json", *(folder / f"{name}-{n}.json" for n in range(2, 100))]
    return next(path for path in candidates if not path.exists())


def unfinished(folder: Path, seed: int) -> Path:
    """A file name for the journal of a run that begins now."""
    return folder / f"{_name(datetime.now(UTC), seed)}{UNFINISHED}"


def keep(run: Run, target: Path) -> None:
    """Save a run, and say where.

    Raises:
        Failure: the host refuses.
    """
    try:
        save(run, target)
    except OSError as error:
        raise Failure(f"the run could not be saved as {target}: {error.strerror}.") from None
    print(f"Saved as {relative(target)}", file=sys.stderr)


def keep_beside(target: Path, what: str, data: bytes) -> None:
    """Save something that belongs to the run at `target`.

    Raises:
        Failure: the host refuses.
    """
    beside = target.with_suffix(f".{what}")
    try:
        beside.write_bytes(data + b"\n")
    except OSError as error:
        raise Failure(f"{beside} could not be written: {error.strerror}.") from None
    print(f"Saved as {relative(beside)}", file=sys.stderr)


def clear_but(kept: Sequence[Path]) -> None:
    """Remove other runs, and what belongs to them, from the folder of these: they replace them.

    Raises:
        Failure: the host refuses.
    """
    stems = {path.stem for path in kept}
    for path in sorted(kept[0].parent.iterdir()):
        if path.suffix in {".json", ".ladder", ".availability"} and path.stem not in stems:
            try:
                path.unlink()
            except OSError as error:
                raise Failure(f"{path} could not be removed: {error.strerror}.") from None
            print(f"Removed {relative(path)}", file=sys.stderr)


def write(target: Path, text: str) -> None:
    """Write a page, or whatever was asked for.

    Raises:
        Failure: the host refuses.
    """
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{target} could not be written: {error.strerror}.") from None


def saved(path: Path, kind: type[T], what: str) -> T:
    """What a command printed as JSON into a file.

    Raises:
        Refusal: it can't be read, or is no `what`.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} is no {what}: {error}.") from None


def relative(path: Path) -> str:
    """A path as it is best shown from here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def load_together(paths: Sequence[str | Path], *, one_commit: bool = True) -> list[Run]:
    """Runs that may stand in one table.

    Args:
        paths: where they are.
        one_commit: whether they must be of one commit, too.

    Raises:
        Refusal: one can't be read, or they are of different hosts or commits.
    """
    runs = [load(path) for path in paths]
    for path, run in zip(paths, runs, strict=True):
        reason = _difference(runs[0].environment, run.environment, one_commit=one_commit)
        if reason:
            raise Refusal(f"{paths[0]} and {path} can't be put together: {reason}.")
    return runs


def header(arguments: Sequence[str], seed: int) -> Header:
    """The header of the journal of a command that is carried out here and now."""
    here = environment.identity()
    return Header(
        arguments=tuple(arguments),
        seed=seed,
        host=here.host,
        commit=here.commit,
        services_sha256=here.services_sha256,
    )


def check_header(found: Header, path: Path) -> None:
    """Make sure that a journal can be gone on with here and now.

    Raises:
        Refusal: it was begun on another host, at another commit, or with other services.
    """
    now = header(found.arguments, found.seed)
    must_be_equal = {
        "host": "host",
        "commit": "commit",
        "services_sha256": "version of the services",
    }
    for field, what in must_be_equal.items():
        if getattr(found, field) != getattr(now, field):
            raise Refusal(f"{path} can't be gone on with: it was begun with another {what}.")


def _difference(one: Environment, other: Environment, *, one_commit: bool) -> str:
    """Why two runs must not stand in one table; empty: they may."""
    for what in ("host", "cpu_model", "kernel_version"):
        if getattr(one, what) != getattr(other, what):
            return f"they are of different hosts ({getattr(one, what)}, {getattr(other, what)})"
    if one_commit and (one.commit, one.services_sha256) != (other.commit, other.services_sha256):
        return f"they are of different commits ({_commit(one)}, {_commit(other)})"
    return ""


def _commit(env: Environment) -> str:
    return (env.commit or "none")[:7]


def _name(moment: datetime, seed: int) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}-{seed:08x}"
