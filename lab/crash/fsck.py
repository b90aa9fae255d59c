"""Another opinion: `fsck.minix`, which is only ever asked to look."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def second_opinion() -> Iterator[Callable[[bytes], str] | None]:
    """What says what `fsck.minix -f` finds wrong with an image; None where that is not installed.

    Its repair modes destroy images of this version.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/sbin", "/usr/sbin"])
    program = shutil.which("fsck.minix", path=path)
    if program is None:
        yield None
        return
    with tempfile.TemporaryFile(prefix="twinos-crash-") as file:  # no name that could go
        descriptor = file.fileno()

        def examine(image: bytes) -> str:
            file.seek(0)
            file.write(image)
            file.flush()
            done = subprocess.run(
                [program, "-f", f"/proc/self/fd/{descriptor}"],
                pass_fds=[descriptor],
                capture_output=True,
                text=True,
                check=False,
            )
            said = " ".join((done.stdout + done.stderr).split())
            return "" if done.returncode == 0 else f"fsck.minix says: {said}"

        yield examine
