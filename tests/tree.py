"""A copy of TwinOS, for tests that write into it."""

import shutil
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_PARTS: Final = (
    *("twinos", "kernels", "servers", "workloads", "lab", "pyproject.toml"),
    *("tests/conftest.py", "tests/jobs.py"),
)


def copy_to(folder: Path) -> Path:
    """What a service and its test need, in `folder`, which is returned."""
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for name in _PARTS:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    return folder
