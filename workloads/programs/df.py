"""df: how full the file system is."""

from servers.process import Process
from workloads.programs._common import human, options


def main(process: Process, *arguments: str) -> int:
    """`df [-hi]`: in KiB, for people, or in inodes."""
    given, _ = options(process, arguments, "hik")
    found = process.files.statvfs("/")
    total, free = found.f_blocks * found.f_frsize, found.f_bfree * found.f_frsize
    titles = ("Size", "Used", "Avail") if "h" in given else ("1K-blocks", "Used", "Available")
    sizes = (total, total - free, free)
    shown = [human(size) if "h" in given else str(size // 1024) for size in sizes]
    if "i" in given:
        titles = ("Inodes", "IUsed", "IFree")
        total, free = found.f_files, found.f_ffree
        shown = [str(total), str(total - free), str(free)]
    share = -(-(total - free) * 100 // total) if total else 0
    for name, columns, use, where in (
        ("Filesystem", titles, "Use%", "Mounted on"),
        ("disk", shown, f"{share}%", "/"),
    ):
        middle = " ".join(f"{column:>10}" for column in columns)
        process.stdout.write(f"{name:10} {middle} {use:>4} {where}\n")
    return 0
