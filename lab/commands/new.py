"""`twinos new`: a service of one's own, with its test and its workload."""

import argparse
from pathlib import Path
from typing import Final

from lab.refusal import Refusal
from lab.scaffold import is_twinos, new_service

EPILOG: Final = """\
Inside TwinOS the files go to servers/, tests/servers/ and workloads/. Anywhere else they make a
project of its own, or join the one that is there; `pip install -e .` then makes it known.

examples:
  twinos new service checksum --depends disk
  twinos new service key_cache --depends filesystem,clock
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("kind", choices=["service"], help="what to make")
    parser.add_argument("name", metavar="NAME", help="the name of its file: key_cache")
    parser.add_argument(
        "--depends", metavar="SERVICE,...", default="", help="services that it may call"
    )
    parser.add_argument(
        "--project", metavar="DIR", type=Path, default=Path(), help="where; here by default"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Write the files, and say what comes next."""
    project: Path = arguments.project
    if not project.is_dir():
        raise Refusal(f"there is no folder {project}.")
    depends = [name.strip() for name in arguments.depends.split(",") if name.strip()]
    try:
        written = new_service(project, arguments.name, depends)
    except OSError as error:
        raise Refusal(f"{error.filename or project}: {error.strerror}.") from None
    for path in written:
        print(f"wrote {path}")
    test = next(path for path in written if path.name.startswith("test_"))
    workload = arguments.name.replace("_", "-")
    print("\nnext:")
    if not is_twinos(project):
        print("  pip install -e . pytest hypothesis")
    print(f"  python -m pytest {test}")
    print(f"  twinos services {''.join(p.capitalize() for p in arguments.name.split('_'))}")
    print(f"  twinos bench {workload}")
    return 0
