"""A measured run as JSON: schema `twinos/run/2`, described in results/README.md."""

import os
import tempfile
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from lab.refusal import Refusal
from lab.stats import Interval

SCHEMA: Final = "twinos/run/2"

Placement = Literal["one", "two"]
Users = Literal["inline", "process"]


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where, when and how a run was measured. Loads are those of the host, 1, 5 and 15 minutes."""

    host: str
    cpu_model: str
    cpu_count: int
    affinity: tuple[int, ...]
    placement: Placement
    user_cpu: int
    server_cpu: int
    kernel_version: str
    python: str
    packages: dict[str, str]
    commit: str | None
    dirty: bool | None
    services_sha256: str
    date: str
    seed: int
    boots: int
    quick: bool
    command: str
    load_before: tuple[float, float, float]
    load_after: tuple[float, float, float]


class Overhead(msgspec.Struct, frozen=True, kw_only=True):
    """What measuring itself costs, measured before anything else was.

    Attributes:
        clock_us: reading the clock.
        loop_us: a turn of the loop that times calls, around a function that does nothing.
        loop_batches_us: the same, batch by batch.
        spread: the slowest batch over the fastest.
    """

    clock_us: float
    loop_us: float
    loop_batches_us: tuple[float, ...]
    spread: float


class Decomposition(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of a workload goes, from boots that traced it; medians over these boots.

    Attributes:
        traced_us: what an operation took while it was traced.
        untraced_us: what it takes otherwise, as its row has it.
        stamp_us: what one stamp costs; it is taken off every part.
        stamps_per_op: how many there were.
        messages_per_op: requests and replies that were stamped.
        parts_us: program, checking, encoding, switching, copying, queueing, service.
        boots: how many boots were traced.
    """

    workload: str
    kernel: str
    placement: Placement
    users: Users
    traced_us: float
    untraced_us: float
    stamp_us: float
    stamps_per_op: float
    messages_per_op: float
    parts_us: dict[str, float]
    boots: int


class HostCount(msgspec.Struct, frozen=True, kw_only=True):
    """Our count of messages beside the host's own counts, per operation.

    Attributes:
        switches_per_op: context switches, as /proc counts them.
        calls_per_op: system calls by name, as strace counts them.
    """

    workload: str
    kernel: str
    messages_per_op: float
    switches_per_op: float
    calls_per_op: dict[str, float]


class Pilot(msgspec.Struct, frozen=True, kw_only=True):
    """How the number of boots was chosen.

    Attributes:
        rounds: boots of each kernel that were made for it; none of them is reported.
        precision: the wanted half-width of a ratio's interval, as a fraction of the ratio.
        boots: how many were found to be needed.
    """

    rounds: int
    precision: float
    boots: int


class Floors(msgspec.Struct, frozen=True, kw_only=True):
    """What the host itself costs, in µs: medians, and the values of the single boots."""

    method_call_us: float
    pipe_round_trip_us: float
    method_call_boots_us: tuple[float, ...]
    pipe_round_trip_boots_us: tuple[float, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one workload costs under one kernel.

    Attributes:
        options: what sized the workload.
        transport: how requests travel: `call`, or the name of a transport.
        users: whether the user program shares the address space of the kernel.
        boots_us: µs per operation, one value a boot.
        ci95_us: None where the boots are too few for one.
        messages_per_op: requests and replies that crossed between address spaces, exactly.
        bytes_per_op: their bytes.
        requests_per_op: requests that the user made: what a real kernel would call traps.
        cpu_us: processor time per operation, of all processes; the median over boots.
        cpu_boots_us: the same, boot by boot.
        switches_per_op: context switches of all processes; the median over boots.
        memory_kib: proportional memory of all processes when the boot ended; the median over boots.
        boot_ms: from nothing to a system that answers; the median over boots.
    """

    workload: str
    group: str
    options: dict[str, int | str]
    kernel: str
    transport: str
    placement: Placement
    users: Users
    boots_us: tuple[float, ...]
    median_us: float
    ci95_us: Interval | None
    messages_per_op: float
    bytes_per_op: float
    requests_per_op: float = 0.0
    cpu_us: float = 0.0
    cpu_boots_us: tuple[float, ...] = ()
    switches_per_op: float = 0.0
    memory_kib: float = 0.0
    boot_ms: float = 0.0


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a workload under `kernel` over that under `over`."""

    workload: str
    kernel: str
    over: str
    ratio: float
    ci95: Interval | None


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """A null call as a multiple of a floor of the same boots, beside what the design aims at."""

    kernel: str
    over: str
    ratio: float
    ci95: Interval | None
    aim: float


class Run(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag=SCHEMA):
    """One run of `twinos bench`: written once, never edited.

    Attributes:
        tmpfs_us: what workloads of files cost on the host's tmpfs, as a baseline.
    """

    environment: Environment
    floors: Floors
    rows: tuple[Row, ...]
    ratios: tuple[Ratio, ...]
    aims: tuple[Aim, ...]
    overhead: Overhead | None = None
    pilot: Pilot | None = None
    decompositions: tuple[Decomposition, ...] = ()
    host_counts: tuple[HostCount, ...] = ()
    tmpfs_us: dict[str, float] = {}


def to_json(run: Run) -> str:
    """The run as indented JSON, with its schema first."""
    return msgspec.json.format(msgspec.json.encode(run), indent=2).decode() + "\n"


def from_json(text: str | bytes, name: str = "this") -> Run:
    """The run in `text`.

    Args:
        text: JSON.
        name: what to call it in a refusal.

    Raises:
        Refusal: it is no JSON, of another schema, or damaged.
    """
    try:
        return msgspec.json.decode(text, type=Run)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(_why(text, name, error)) from None


def load(path: str | os.PathLike[str]) -> Run:
    """The run saved at `path`.

    Raises:
        Refusal: it can't be read, or is no run of this schema.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise Refusal(f"{os.fspath(path)}: {error.strerror}.") from None
    return from_json(text, os.fspath(path))


def save(run: Run, path: str | os.PathLike[str]) -> None:
    """Write the run to `path`, whole or not at all.

    Raises:
        OSError: the host refuses.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(to_json(run))
        Path(draft).chmod(0o644)  # mkstemp makes it private
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _why(text: str | bytes, name: str, error: Exception) -> str:
    found = _schema_of(text)
    if found is None:
        return f"{name} is no saved run: it is not JSON with a schema."
    if found != SCHEMA:
        return f"{name} has the schema {found!r}; this version of TwinOS reads {SCHEMA!r}."
    return f"{name} is damaged: {error}."


def _schema_of(text: str | bytes) -> Any:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found.get("schema") if isinstance(found, dict) else None
