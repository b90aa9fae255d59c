"""free: the machine's memory."""

from collections.abc import Iterator

from servers.memory import MemoryManager
from servers.process import Process
from workloads.programs._common import human, options

_KIB_A_FRAME = 4


def main(process: Process, *arguments: str) -> int:
    """`free [-h]`: in KiB, or for people."""
    given, _ = options(process, arguments, "hk")
    process.stdout.writelines(memory_lines(process, for_people="h" in given))
    return 0


def memory_lines(process: Process, *, for_people: bool = False) -> Iterator[str]:
    """What the memory manager has, as lines."""
    found = process.service(MemoryManager).meminfo()

    def size(frames: int) -> str:
        return human(frames * _KIB_A_FRAME * 1024) if for_people else str(frames * _KIB_A_FRAME)

    yield f"{'':8} {'total':>10} {'used':>10} {'free':>10}\n"
    for name, total, free in (
        ("Mem:", found.frames, found.free_frames),
        ("Tables:", found.tables, found.free_tables),
    ):
        yield f"{name:8} {size(total):>10} {size(total - free):>10} {size(free):>10}\n"
