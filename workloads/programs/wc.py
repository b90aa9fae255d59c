"""wc: count lines, words and bytes."""

from servers.process import Process
from workloads.programs._common import PIECE, options


def main(process: Process, *arguments: str) -> int:
    """`wc [-clmw] [FILE...]`."""
    given, paths = options(process, arguments, "clmw")
    wanted = [letter for letter in "lwmc" if letter in given] or ["l", "w", "c"]
    status, totals, rows = 0, dict.fromkeys("lwmc", 0), []
    for path in paths or [""]:
        try:
            counts = _count(process, path)
        except OSError as error:
            status = process.complain(path, error)
            continue
        rows.append((counts, path))
        for letter, count in counts.items():
            totals[letter] += count
    if len(paths) > 1:
        rows.append((totals, "total"))
    width = _width(rows, wanted, paths)
    for counts, path in rows:
        text = " ".join(f"{counts[letter]:{width}}" for letter in wanted)
        process.stdout.write(f"{text} {path}\n" if path else f"{text}\n")
    return status


def _width(rows: list[tuple[dict[str, int], str]], wanted: list[str], paths: list[str]) -> int:
    """As GNU's: as wide as the largest number needs, or 7 for what is no file."""
    if len(rows) == 1 and len(wanted) == 1:
        return 1
    largest = max((counts["c"] for counts, _ in rows), default=0)
    return max(len(str(largest)), 1 if paths and "-" not in paths else 7)


def _count(process: Process, path: str) -> dict[str, int]:
    fd = 0 if path in {"", "-"} else process.open(path)
    counts, in_word = dict.fromkeys("lwmc", 0), False
    try:
        while data := process.read(fd, PIECE):
            counts["c"] += len(data)
            counts["l"] += data.count(b"\n")
            counts["m"] += sum(byte & 0xC0 != 0x80 for byte in data)
            counts["w"] += len(data.split()) - (in_word and not data[:1].isspace())
            in_word = not data[-1:].isspace()
    finally:
        if fd:
            process.close(fd)
    return counts
