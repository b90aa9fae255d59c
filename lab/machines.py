"""Machines of other years, and what a message and a null call cost on them, as published.

The prices and their sources are in `costs.toml` beside this file, one table a machine. A machine's
prices are never mixed with another's, nor with those of another configuration of the same hardware.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from lab.refusal import Refusal, unknown

COSTS: Final = Path(__file__).with_name("costs.toml")


class Price(NamedTuple):
    """A price as a source gives it: a range, or one value twice."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The middle of the range."""
        return (self.low + self.high) / 2


Given = float | tuple[float, float]


class Machine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine, as `costs.toml` describes it; what the source doesn't say is None.

    Attributes:
        id: its short name.
        label: its name for people.
        year: of the measurement.
        mhz: what turns cycles into time.
        trust: `read` if the figures were read in the source, `unverified` if not.
    """

    id: str
    label: str
    year: int
    source: str
    trust: str
    mhz: float | None = None
    note: str = ""
    one_way_cycles: Given | None = None
    round_trip_cycles: Given | None = None
    round_trip_us: Given | None = None
    call_cycles: float | None = None
    reply_cycles: float | None = None
    null_call_cycles: Given | None = None
    null_call_us: Given | None = None
    address_space_switch_cycles: float | None = None
    function_call_cycles: float | None = None
    getpid_cycles: dict[str, float] = {}

    @property
    def message(self) -> Price | None:
        """One message: half of what a request and its reply cost together."""
        if self.call_cycles is not None and self.reply_cycles is not None:
            return self._time((self.call_cycles + self.reply_cycles) / 2)
        if self.round_trip_us is not None:
            return _halved(_price(self.round_trip_us))
        if self.round_trip_cycles is not None:
            return self._time(_halved(_price(self.round_trip_cycles)))
        return None if self.one_way_cycles is None else self._time(self.one_way_cycles)

    @property
    def null_call(self) -> Price | None:
        """Entering and leaving the kernel."""
        if self.null_call_us is not None:
            return _price(self.null_call_us)
        return None if self.null_call_cycles is None else self._time(self.null_call_cycles)

    @property
    def unit(self) -> str:
        """What its prices are in: µs, or cycles where nobody says how long one takes."""
        in_time = self.round_trip_us is not None or self.null_call_us is not None
        return "µs" if in_time or self.mhz is not None else "cycles"

    @property
    def lacks(self) -> str:
        """Which price the source doesn't give that a prediction takes; empty: none."""
        if self.message is None:
            return "no price of a message"
        return "no price of a null call" if self.null_call is None else ""

    def _time(self, cycles: Given) -> Price:
        return Price(*(each / (self.mhz or 1.0) for each in _price(cycles)))


def machines(path: Path = COSTS) -> dict[str, Machine]:
    """All machines by id, oldest first.

    Raises:
        Refusal: the file can't be read, or has an error.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("machine", [])
        known = msgspec.convert(tables, list[Machine])
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise Refusal(f"{path} has an error: {error}.") from None
    return {one.id: one for one in sorted(known, key=lambda one: one.year)}


def select(
    known: Mapping[str, Machine], ids: Sequence[str], *, unverified: bool = False
) -> list[Machine]:
    """The machines that are asked for; without ids those whose prices suffice for a prediction.

    Raises:
        Refusal: an id is unknown, its price was not verified, or a prediction takes more prices.
    """
    for name in ids:
        if name not in known:
            raise unknown("machine", name, known, "twinos replay --list")
        if known[name].trust != "read" and not unverified:
            raise Refusal(f"the prices of {name} are unverified; --unverified takes them.")
        if known[name].lacks:
            raise Refusal(f"nothing can be predicted for {name}: {known[name].lacks} is known.")
    chosen = [known[name] for name in ids] or list(known.values())
    trusted = [one for one in chosen if unverified or one.trust == "read"]
    return [one for one in trusted if not one.lacks]


def _price(given: Any) -> Price:
    return Price(*given) if isinstance(given, tuple) else Price(given, given)


def _halved(price: Price) -> Price:
    return Price(price.low / 2, price.high / 2)
