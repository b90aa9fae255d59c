"""Regions and identities: what a system's services are given that their lives don't end."""

from collections.abc import Mapping, Sequence

from twinos import Caller, Region, Service, WiringError
from twinos.wiring import Services, needs

Regions = Mapping[type[Service], Mapping[str, Region]]


def identities(order: Sequence[type[Service]]) -> dict[type[Service], Caller]:
    """Who each service is when it calls another: the same under every kernel."""
    return {service: Caller(number, service.__name__) for number, service in enumerate(order, 1)}


def create_regions(services: Services) -> dict[type[Service], dict[str, Region]]:
    """Fresh regions, empty, for every service that names any."""
    return {
        service: {name: Region.create(f"{service.__name__}.{name}") for name in _kept(service)}
        for service in services
    }


def _kept(service: type[Service]) -> tuple[str, ...]:
    wanted = needs(service)
    return (*wanted.regions, wanted.journal) if wanted.journal else wanted.regions


def find_region(regions: Regions, service: type[Service], name: str) -> Region:
    """The region that the parameter `name` of the service's constructor gets.

    Raises:
        WiringError: it gets none.
    """
    try:
        return regions[service][name]
    except KeyError:
        raise WiringError(f"{service.__name__} has no region {name!r}") from None
