"""Which requests of a machine cross from one address space to another."""

from collections.abc import Callable

from lab.shell.machine import Machine
from lab.trace.recorder import HARDWARE


def crosses(machine: Machine) -> Callable[[str, str], bool]:
    """Whether a request of one party, a program or a service, to a service is a message."""
    space_of = {
        name: number
        for number, status in enumerate(machine.system.status())
        for name in status.services
    }

    def is_message(client: str, service: str) -> bool:
        if client == HARDWARE:  # a notification, or a call of the one kernel there is
            return len(set(space_of.values())) > 1
        return space_of.get(client, -1) != space_of.get(service, -2)

    return is_message
