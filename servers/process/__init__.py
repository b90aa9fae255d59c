"""Processes: the service `ProcessManager` and, on the program's side, `Process`.

From the bottom up:

    signals       numbers, sets, defaults
    table         what is known of each process
    ledger        the same in memory that outlives the manager
    accounts      what it has used
    program       program files, and what is started for one
    sending       operations: signals
    groups        operations: groups, sessions, priorities
    terminals     operations: who has the terminal
    alarms        operations: SIGALRM
    starting      operations: spawn, fork, exec
    manager       the service: exit, wait
    user          handles to services
    descriptions  what is open, whichever service keeps it
    descriptors   one numbering for all of that
    streams       Python's files over descriptors
    handling      handlers of signals
    process       a process, as its program has it
    startup       what every program does first and last
"""

from servers.process.handling import Killed
from servers.process.manager import ProcessManager
from servers.process.process import Process, reason_of
from servers.process.table import Descriptor, Order, ProcessInfo

__all__ = [
    "Descriptor",
    "Killed",
    "Order",
    "Process",
    "ProcessInfo",
    "ProcessManager",
    "reason_of",
]
