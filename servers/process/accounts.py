"""Accounts: what a process has used, as the host's clock and memory manager counted it."""

import os
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# In /proc/PID/stat, counted from the field after the name: see proc(5).
_UTIME, _STIME, _RSS = 11, 12, 21


def usage(host: int) -> tuple[float, int]:
    """Seconds of processor time and bytes of memory of a process of the host; zeros if it is gone.

    Reading them is no privilege, as reading the host's clock is none.
    """
    if not host:
        return 0.0, 0
    try:
        with open(f"/proc/{host}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS, int(fields[_RSS]) * _PAGE
