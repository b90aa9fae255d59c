"""Saved runs: what is written is what is read; anything else is refused in a sentence."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lab import schema
from lab.refusal import Refusal
from lab.schema import Aim, Environment, Floors, Ratio, Row, Run

COSTS = st.floats(min_value=0, max_value=1e12)
NAMES = st.sampled_from(["", "null", "hybrid:a+b,c", "µs", '\U0001f40c \\ "\n'])
INTERVALS = st.none() | st.tuples(COSTS, COSTS)
ROWS = st.builds(
    Row,
    workload=NAMES,
    group=NAMES,
    options=st.dictionaries(NAMES, st.integers(0, 2**40) | NAMES, max_size=2),
    kernel=NAMES,
    transport=NAMES,
    boots_us=st.lists(COSTS, max_size=3).map(tuple),
    median_us=COSTS,
    ci95_us=INTERVALS,
    messages_per_op=COSTS,
    bytes_per_op=COSTS,
)
RATIOS = st.builds(Ratio, workload=NAMES, kernel=NAMES, over=NAMES, ratio=COSTS, ci95=INTERVALS)
AIMS = st.builds(Aim, kernel=NAMES, over=NAMES, ratio=COSTS, ci95=INTERVALS, aim=COSTS)


@pytest.fixture
def run() -> Run:
    environment = Environment(
        host="h",
        cpu_model="c",
        cpu_count=2,
        affinity=(0, 1),
        placement="one",
        user_cpu=1,
        server_cpu=1,
        kernel_version="Linux 6",
        python="CPython 3.11.7",
        packages={"msgspec": "0.19"},
        commit=None,
        dirty=None,
        services_sha256="",
        date="2026-01-01T00:00:00+00:00",
        seed=1,
        boots=6,
        quick=False,
        command="twinos bench",
        load_before=(0.0, 0.0, 0.0),
        load_after=(0.0, 0.0, 0.0),
    )
    floors = Floors(
        method_call_us=0.05,
        pipe_round_trip_us=8.5,
        method_call_boots_us=(0.05,),
        pipe_round_trip_boots_us=(8.5,),
    )
    return Run(environment=environment, floors=floors, rows=(), ratios=(), aims=())


@settings(
    derandomize=True,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the fixture is immutable
)
@given(
    st.lists(ROWS, max_size=2).map(tuple),
    st.lists(RATIOS, max_size=2).map(tuple),
    st.lists(AIMS, max_size=2).map(tuple),
)
def test_what_is_written_is_read(
    run: Run, rows: tuple[Row, ...], ratios: tuple[Ratio, ...], aims: tuple[Aim, ...]
) -> None:
    written = replace(run, rows=rows, ratios=ratios, aims=aims)
    assert schema.from_json(schema.to_json(written)) == written


def test_the_keys_are_those_of_the_schema(run: Run) -> None:
    written = json.loads(schema.to_json(run))
    assert next(iter(written)) == "schema"
    assert written["schema"] == "twinos/run/2"
    assert {"environment", "floors", "rows", "ratios"} <= written.keys()
    assert {"method_call_us", "pipe_round_trip_us"} <= written["floors"].keys()


def test_save_and_load(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "new" / "run.json"
    schema.save(run, path)
    assert schema.load(path) == run
    assert [file.name for file in path.parent.iterdir()] == ["run.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failed_save_leaves_what_was_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    path.write_text("before")

    def full(_run: Run) -> str:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(schema, "to_json", full)
    with pytest.raises(OSError, match="No space left"):
        schema.save(run, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "r is no saved run: it is not JSON with a schema."),
        (b"\xff\xfe", "r is no saved run: it is not JSON with a schema."),
        (b"[1]", "r is no saved run: it is not JSON with a schema."),
        (b'{"rows": []}', "r is no saved run: it is not JSON with a schema."),
        (
            b'{"schema": "twinos/run/1"}',
            "r has the schema 'twinos/run/1'; this version of TwinOS reads 'twinos/run/2'.",
        ),
        (
            b'{"schema": "twinos/run/2"}',
            "r is damaged: Object missing required field `environment`.",
        ),
    ],
)
def test_anything_else_is_refused(text: bytes, sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        schema.from_json(text, "r")
    assert str(refused.value) == sentence


def test_a_damaged_field_is_named(run: Run) -> None:
    damaged = json.loads(schema.to_json(run))
    damaged["floors"]["method_call_us"] = "fast"
    with pytest.raises(Refusal, match=r"damaged: .*floors\.method_call_us"):
        schema.from_json(json.dumps(damaged))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"none\.json: No such file or directory\."):
        schema.load(tmp_path / "none.json")
