"""Programs: each a function `main(process, *arguments) -> status`, one a file.

`install` gives each a file in /bin that names it; a file there is what makes a program.
"""

import os
import pkgutil
from contextlib import suppress
from stat import S_IFCHR
from typing import Final

from servers.filesystem import FileSystem

DIRECTORIES: Final = {"/bin": 0o755, "/dev": 0o755, "/root": 0o700, "/tmp": 0o1777}  # noqa: S108 (ours)
DEVICES: Final = {"console": (5, 1), "null": (1, 3), "tty": (5, 0)}


def names() -> list[str]:
    """All programs."""
    return sorted(
        module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
    )


def install(files: FileSystem) -> None:
    """Make what a system needs to run programs; what is there stays as it is."""
    for path, mode in DIRECTORIES.items():
        with suppress(FileExistsError):
            files.mkdir(path)
            files.chmod(path, mode)
    for name, (major, minor) in DEVICES.items():
        with suppress(FileExistsError):
            files.mknod(f"/dev/{name}", S_IFCHR | 0o666, major << 8 | minor)
            files.chmod(f"/dev/{name}", 0o666)
    for name in names():
        with suppress(FileExistsError):
            fd = files.open(f"/bin/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
            files.write(fd, f"#!twinos {__name__}.{name}:main\n".encode())
            files.close(fd)
