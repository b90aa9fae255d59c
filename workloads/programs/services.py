"""services: what this system is made of."""

from servers.process import Process
from twinos import Service, operations
from twinos.wiring import dependencies


def main(process: Process, *arguments: str) -> int:
    """`services [SERVICE]`: all of them, or the operations of one."""
    known = {service.__name__.lower(): service for service in process.services}
    if not arguments:
        for service in known.values():
            calls = ", ".join(callee.__name__ for callee in dependencies(service)) or "-"
            count = len(operations(service))
            process.stdout.write(f"{service.__name__:16} {count:3} operations   calls {calls}\n")
        return 0
    status = 0
    for name in arguments:
        if name.lower() in known:
            _describe(process, known[name.lower()])
        else:
            status = process.complain(f"there is no service {name}")
    return status


def _describe(process: Process, service: type[Service]) -> None:
    for operation in operations(service).values():
        process.stdout.write(f"{operation.signature()}\n")
