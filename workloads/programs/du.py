"""du: how much of the disk files take."""

import stat

from servers.process import Process
from workloads.programs._common import human, join, options, ordered


def main(process: Process, *arguments: str) -> int:
    """`du [-ahs] [FILE...]`, in KiB."""
    given, paths = options(process, arguments, "ahks")
    account = _Account(process, given)
    for path in paths or ["."]:
        account.add(path, top=True)
    return account.status


class _Account:
    def __init__(self, process: Process, given: dict[str, str]) -> None:
        self._process = process
        self._given = given
        self._seen: set[int] = set()
        self.status = 0

    def add(self, path: str, *, top: bool = False) -> int:
        """The sectors of a file and of all below it; says so where that is asked for."""
        files = self._process.files
        try:
            found = files.lstat(path)
            is_directory = stat.S_ISDIR(found.st_mode)
            names = ordered(self._process, path) if is_directory else []
        except OSError as error:
            self.status = self._process.complain(f"cannot access '{path}'", error)
            return 0
        if found.st_ino in self._seen:
            return 0
        if found.st_nlink > 1 and not is_directory:
            self._seen.add(found.st_ino)
        sectors = found.st_blocks + sum(self.add(join(path, name)) for name in names)
        wanted = (is_directory or "a" in self._given) and "s" not in self._given
        if top or wanted:
            size = human(sectors * 512) if "h" in self._given else str(-(-sectors // 2))
            self._process.stdout.write(f"{size}\t{path}\n")
        return sectors
