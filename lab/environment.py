"""Where a run was measured: what a reader needs to judge it, or to repeat it."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import servers
from lab.dispatch import ROOT
from lab.placement import Cpus
from lab.schema import Environment, Placement

PACKAGES: Final = ("msgspec", "tabulate", "tqdm")


class Setting(NamedTuple):
    """What was chosen for a run."""

    placement: Placement
    cpus: Cpus
    seed: int
    boots: int
    quick: bool
    command: str


class Identity(NamedTuple):
    """What must not change in the middle of a run."""

    host: str
    commit: str | None
    services_sha256: str


def identity() -> Identity:
    """This host, this checkout, these services."""
    commit, _ = _commit()
    return Identity(platform.node(), commit, _digest(Path(folder) for folder in servers.__path__))


def describe(setting: Setting, load_before: tuple[float, float, float]) -> Environment:
    """The environment of a run that has just ended.

    Args:
        setting: what was chosen.
        load_before: the host's load when it began.
    """
    commit, dirty = _commit()
    return Environment(
        host=platform.node(),
        cpu_model=_cpu_model(),
        cpu_count=os.cpu_count() or 1,
        affinity=tuple(sorted(os.sched_getaffinity(0))),
        placement=setting.placement,
        user_cpu=setting.cpus.user,
        server_cpu=setting.cpus.server,
        kernel_version=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages={name: version(name) for name in PACKAGES},
        commit=commit,
        dirty=dirty,
        services_sha256=_digest(Path(folder) for folder in servers.__path__),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=setting.seed,
        boots=setting.boots,
        quick=setting.quick,
        command=setting.command,
        load_before=load_before,
        load_after=os.getloadavg(),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _commit() -> tuple[str | None, bool | None]:
    """The commit of the checkout that we run from, and whether it has changes; None outside one."""
    if _git("rev-parse", "--show-toplevel") != str(ROOT):
        return None, None
    return _git("rev-parse", "HEAD"), bool(_git("status", "--porcelain"))


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _digest(folders: Iterable[Path]) -> str:
    """SHA-256 of the services' source: equal digests, equal services."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
