"""Moving entries from a source to a sink, with a count on a terminal."""

import sys
from collections.abc import Iterable, Iterator

import tqdm

from lab.image_entry import Entry, LeftOut, Sink


def transfer(source: Iterable[Entry], sink: Sink, what: str) -> list[str]:
    """Put every entry of `source` into `sink`.

    Args:
        source: what to move.
        sink: where to.
        what: what is going on, for the reader.

    Returns:
        a sentence for each reason for which something was left out.
    """
    left: dict[str, list[str]] = {}
    gone: set[str] = set()
    for entry in _counted(source, what):
        try:
            _put(sink, entry, gone)
        except LeftOut as why:
            gone.add(entry.path)
            left.setdefault(str(why), []).append(entry.path)
    sink.finish()
    return [_sentence(reason, paths) for reason, paths in left.items()]


def _put(sink: Sink, entry: Entry, gone: set[str]) -> None:
    if entry.link in gone:
        raise LeftOut("one more name of what was left out")
    sink.put(entry)


def _sentence(reason: str, paths: list[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"left out {paths[0]!r}{more}: {reason}."


def _counted(source: Iterable[Entry], what: str) -> Iterator[Entry]:
    if not sys.stderr.isatty():
        yield from source
        return
    tqdm.tqdm.monitor_interval = 0  # no thread of tqdm's: others may fork
    with tqdm.tqdm(desc=what, unit="file", leave=False, dynamic_ncols=True) as bar:
        for entry in source:
            yield entry
            bar.update()
