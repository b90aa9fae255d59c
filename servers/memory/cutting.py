"""Cutting: a file has become shorter, and FileSystem has taken back the pages beyond its end.

Private copies of those are the memory manager's. FileSystem can't tell it, for it is below; so it
is asked when it matters: before a private copy is made, looked for, or counted (see `layout`, what
is `copied`).
"""

from contextlib import suppress

from servers.memory.homes import Mapper
from servers.memory.layout import HEADER_CUTS, PAGE_SHIFT, round_up
from servers.memory.machine import Machine


def catch_up(machine: Machine) -> None:
    """Take away pages that files no longer have, and private copies. EIO: nobody can be asked."""
    times, slots, sizes = machine.files.cuts()
    for frame in (machine.frames.own + slot for slot in slots):
        if machine.frames.homes[frame] is not None:
            machine.reclaim.expel(frame)
    for file, size in sizes:
        shown = machine.objects.find(file)
        if shown is not None:
            shown.cut(round_up(size) >> PAGE_SHIFT)
    machine.tables.words[HEADER_CUTS] = times


def count_anew(machine: Machine, space: Mapper) -> None:
    """Catch up, if it matters to what a space has, and FileSystem can be asked."""
    for area in space.areas:
        if area.backing and machine.objects[area.backing].filed:
            with suppress(OSError):
                catch_up(machine)
            return
