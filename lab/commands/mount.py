"""`twinos mount`: a disk image as a directory of the host."""

import argparse
import sys
from typing import Any, Final

from lab.choice import parse
from lab.image_file import opened, reason
from lab.image_system import booted_system
from lab.refusal import Failure, Refusal

EXTRA: Final = ("pyfuse3", "trio")

EPILOG: Final = """\
It runs until Ctrl-C, SIGTERM or `umount DIR`; then everything is written to the image. Programs
see the users, permissions and times that are in the image. Mounted by root, all users of the host
may use it; mounted by another user, only this one.

examples:
  twinos image create disk.img --size 256M
  twinos mount disk.img /mnt
  twinos mount disk.img /mnt --kernel microkernel
  twinos mount disk.img /mnt --read-only

Names have up to 60 bytes, and longer ones are "File name too long". Most programs make none; but
`git gc` and `git repack` do. `git maintenance run --task=loose-objects --task=pack-refs` does the
same work without.

exit status: 0 it was unmounted, 1 something failed, 2 asked for what there is not
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("image", metavar="IMAGE", help="a file, or a disk")
    add("directory", metavar="DIR", help="an empty directory")
    add("--kernel", default="monolithic", metavar="K", help="as in bench; monolithic by default")
    add("--read-only", action="store_true", help="change nothing, not even access times")


def execute(arguments: argparse.Namespace) -> int:
    """Mount, and stay until it is over."""
    session = _session()
    parse(arguments.kernel)
    session.require_place(arguments.directory)
    with opened(arguments.image):
        pass

    def ready() -> None:
        print(
            f"{arguments.image} is mounted on {arguments.directory}; Ctrl-C unmounts it.",
            file=sys.stderr,
            flush=True,
        )

    try:
        with booted_system(
            arguments.image, arguments.kernel, writing=not arguments.read_only, files=_MANY
        ) as system:
            session.serve(
                system,
                arguments.directory,
                name=arguments.image,
                read_only=arguments.read_only,
                ready=ready,
            )
    except OSError as error:
        raise Failure(f"{arguments.image}: {reason(error)}.") from None
    return 0


_MANY: Final = 1 << 20
"""Files that are open at a time: the host keeps to its own limits."""


def _session() -> Any:
    try:
        from lab.mount import session  # noqa: PLC0415 (only here, where it may be missing)
    except ImportError as error:
        if error.name not in EXTRA and "libfuse" not in str(error):
            raise
        raise Refusal(
            "mounting needs the extra `mount` (pip install 'twinos[mount]'), which is built with "
            "a C compiler, pkg-config and libfuse3-dev."
        ) from None
    return session
