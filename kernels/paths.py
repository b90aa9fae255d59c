"""Paths: ways that calls can take through the services of one address space."""

from collections.abc import Iterator

from twinos import Op, Service, operations
from twinos.wiring import Services, dependencies, needs


class Paths:
    """Which services can be in the middle of an operation while another one waits."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._callees = {
            service: [callee for callee in dependencies(service) if callee in services]
            for service in services
        }

    def between(self, entered: type[Service], service: type[Service]) -> Services:
        """All through which a call can have led from `entered` to `service`, with these two.

        But for those that overlap their waits, and so serve others meanwhile.
        """
        return tuple(
            s for s in set(self._below(entered)) if service in self._below(s) and not s.__overlaps__
        )

    def may_be_busy(self, service: type[Service]) -> bool:
        """Whether an operation of `service` can lead to one that waits, in another service."""
        return any(
            operation.waits or reached.__overlaps__
            for reached, operation in self._reachable(service)
        )

    def _reachable(self, service: type[Service]) -> Iterator[tuple[type[Service], Op]]:
        """What may be called on behalf of `service`: all that its handles allow, and so on."""
        wanted = needs(service)
        for name, callee in wanted.handles.items():
            if callee in self._services:
                for operation in operations(callee).values():
                    if operation.name in wanted.allowed[name]:
                        yield callee, operation
                yield from self._reachable(callee)

    def _below(self, service: type[Service]) -> Iterator[type[Service]]:
        yield service
        for callee in self._callees[service]:
            yield from self._below(callee)
