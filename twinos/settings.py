"""Settings: plain values for the constructors of services, checked before anything is built."""

import difflib
from collections.abc import Mapping
from typing import Any

from twinos.errors import WiringError
from twinos.service import Service
from twinos.values import coercer
from twinos.wiring import Services, Settings, name_of, needs


def check_config(
    order: Services, config: Mapping[type[Service], Settings]
) -> dict[type[Service], dict[str, Any]]:
    """`config`, checked against the constructors and coerced to their types.

    Raises:
        WiringError: an unknown service or parameter, a missing one, or a value of the wrong type.
    """
    for service, given in config.items():
        if service not in order:
            raise WiringError(f"config names {name_of(service)}, which is not in the system")
        if not isinstance(given, Mapping):
            raise WiringError(
                f"config of {name_of(service)} is a mapping of settings, not {given!r}"
            )
    return {service: _settings(service, config.get(service, {})) for service in order}


def _settings(service: type[Service], given: Settings) -> dict[str, Any]:
    known = needs(service).settings
    for name in given:
        if name not in known:
            hint = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {hint[0]}?" if hint else ""
            raise WiringError(f"{service.__name__} has no setting {name!r}{meant}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in given:
            raise WiringError(f"{service.__name__} needs the setting {name!r}")
    checked = {}
    for name, value in given.items():
        try:
            checked[name] = coercer(known[name].annotation)(value)
        except (TypeError, OverflowError) as error:
            raise WiringError(f"{service.__name__}: setting {name!r}: {error}") from None
    return checked
