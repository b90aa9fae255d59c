"""Pricing: the prices are the published ones, the formula is what it says, and nothing is mixed."""

import math
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import replay, schema
from lab.machines import COSTS, Price, machines, select
from lab.refusal import Refusal
from lab.replay import Counts
from tests.lab.conftest import Cli
from tests.lab.runs import made_up

PRICES = st.floats(0.01, 1000)


def test_every_machine_has_a_source_and_a_mark_of_trust() -> None:
    known = machines()
    assert len(known) == len(tomllib.loads(COSTS.read_text())["machine"])
    assert all(one.source and one.trust in {"read", "unverified"} for one in known.values())
    assert [one.year for one in known.values()] == sorted(one.year for one in known.values())


def test_prices_are_the_published_ones() -> None:
    known = machines()
    assert known["486-50-l3"].message == Price(5, 5)  # 250 cycles of 20 ns
    assert known["486-50-mach"].null_call == Price(18, 18)
    assert known["486-unix-pipe"].message == Price(200, 400)  # half a round trip
    assert known["skylake-sel4"].message == pytest.approx((647 / 3400,) * 2)
    assert known["cortex-a76-l4re"].unit == "cycles"
    assert known["486-50-floor"].lacks == "no price of a message"
    assert known["cortex-a9-sel4"].lacks == "no price of a null call"


def test_by_default_only_what_was_read_and_suffices_is_used() -> None:
    known = machines()
    chosen = select(known, [])
    assert {one.id for one in chosen} >= {"486-50-mach", "486-50-l3", "skylake-sel4-kpti"}
    assert all(one.trust == "read" and not one.lacks for one in chosen)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("486-50-mac", "there is no machine '486-50-mac'; did you mean '486-50-mach'?"),
        ("l4linux-1997", "the prices of l4linux-1997 are unverified; --unverified takes them."),
        ("486-50-floor", "nothing can be predicted for 486-50-floor: no price of a message"),
    ],
)
def test_other_machines_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        select(machines(), [name])
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("text", ["[[machine]", '[[machine]]\nid = "x"', "[[machine]]\nbogus = 1"])
def test_a_file_of_prices_with_an_error_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "costs.toml"
    path.write_text(text)
    with pytest.raises(Refusal, match=r"costs\.toml has an error: "):
        machines(path)


@given(st.floats(0.1, 10), PRICES, PRICES, st.floats(0, 100))
def test_at_the_break_even_price_the_overhead_is_5_percent(
    rate: float, message: float, null_call: float, work: float
) -> None:
    price = replay.break_even(rate, null_call, work)
    assert math.isclose(replay.overhead(rate, price, null_call, work), 0.05, abs_tol=1e-9)
    dear = replay.overhead(rate, message, null_call, work) > 0.05
    assert dear == (message > price) or math.isclose(message, price, rel_tol=1e-6)


@given(st.integers(1, 1000), st.integers(1, 1000), st.sampled_from(select(machines(), [])))
def test_a_prediction_is_within_its_band(requests: int, messages: int, machine: object) -> None:
    counts = Counts("stat", "microkernel", requests, messages)
    assert isinstance(machine, msgspec.Struct)
    made = replay.predict(counts, machine)  # type: ignore[arg-type]  # mypy knows no sampled_from
    low, high = made.band
    assert low <= made.overhead <= high
    assert made.break_even is not None


def test_what_sends_no_messages_costs_nothing_more() -> None:
    made = replay.predict(Counts("load", "microkernel", 0, 0), machines()["486-50-mach"])
    assert (made.added, made.overhead, made.break_even) == (0, 0, None)


def test_null_has_no_work() -> None:
    machine = machines()["486-50-mach"]
    null = replay.predict(Counts("null", "microkernel", 1, 2), machine)
    assert null.overhead == pytest.approx((2 * 110 - 18) / 18)
    assert null.added == pytest.approx(202)


def test_pythons_time_does_not_come_in(tmp_path: Path) -> None:
    """The same counts, a thousand times slower: the same prices."""
    fast, slow = made_up(us=1.0), made_up(us=1000.0)
    assert replay.counts_of([fast]) == replay.counts_of([slow])
    assert tmp_path


def test_the_command(cli: Cli, tmp_path: Path) -> None:
    schema.save(made_up(), tmp_path / "run.json")
    shown = cli("replay", "run.json", "--machine", "486-50-l3", "--work", "20")
    assert shown.returncode == 0, shown.stderr
    assert "L3 on a 50 MHz 486 (1993): a message 5.00 µs" in shown.stdout
    assert "overhead = (M p - R n) / (R (n + w))" in shown.stdout
    assert "20 null calls" in shown.stdout
    swept = cli("replay", "run.json", "--sweep", "-o", "sweep.svg")
    assert swept.returncode == 0, swept.stderr
    assert "p = 10 n" in swept.stdout
    assert (tmp_path / "sweep.svg").read_text().count("<svg") == 1
    listed = cli("replay", "--list").stdout
    assert "UNVERIFIED" in listed
    assert "Liedtke" in listed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name a saved run"),
        (["missing.json"], "missing.json: No such file or directory."),
        (["run.json", "-o", "x.svg"], "-o is where --sweep draws"),
        (["run.json", "--work", "many"], "'many' is no number of null calls"),
        (["silent.json"], "nothing can be priced"),
        (["run.json", "--sweep", "-o", "no/where.svg"], "no/where.svg: No such file"),
    ],
)
def test_bad_input(
    arguments: list[str],
    sentence: str,
    cli: Cli,
    tmp_path: Path,
) -> None:
    schema.save(made_up(), tmp_path / "run.json")
    schema.save(made_up(kernels=("monolithic",)), tmp_path / "silent.json")
    shown = cli("replay", *arguments)
    assert shown.returncode == 2
    assert sentence in shown.stderr
    assert shown.stderr.count("\n") == 1
