"""A station: one boot, measured, in a process of its own.

Every boot gets a fresh interpreter, because hash seeds and memory layout differ from one to the
next and stay as they are within one: they are part of what a boot's value varies by. A station
reads a `Job` from standard input and writes an `Answer` to standard output.
"""

import os
import random
import signal
import sys
from collections.abc import Sequence
from time import perf_counter_ns
from types import FrameType
from typing import Final, Literal

import msgspec

from kernels import Layer, System
from kernels.host import die_with_parent
from lab import choice, meter, timing
from lab.decompose import CopyPrices, Trace, copy_prices, trace, watch_user, watching
from lab.floors import method_call, pipe_round_trip
from lab.measuring import (
    COUNTED_CALLS,
    Cost,
    Requests,
    account,
    account_once,
    count,
    repeat,
    running,
    time_beside,
    time_once,
)
from lab.placement import Cpus, pin
from lab.refusal import Failure, Refusal
from lab.schema import Users
from twinos import BootError, WiringError
from twinos.errors import describe
from workloads.catalogue import catalogue, declared_in
from workloads.workload import Options, Workload

NULL: Final = "null"
"""The workload between whose slices the floors are measured."""

FLOOR_BUDGET_NS: Final = 20_000_000

Mode = Literal["time", "count", "once", "trace", "repeat"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a station is to do.

    Attributes:
        kernel: as `choice.parse` reads it.
        users: where user programs live.
        cpus: the processors of the user and of the servers.
        mode: time many calls; count the messages of a few; time one cold call; trace;
            or repeat a number of calls.
        workloads: the options of each by its name; they share the boot.
        budget_ns: about how long each is timed.
        seed: of the order in which they run.
        calls: how many are repeated.
        modules: that have the workloads, so that no others need be imported; if one is not
            there, all are looked through.
    """

    kernel: str
    users: Users
    cpus: Cpus
    mode: Mode
    workloads: dict[str, Options]
    budget_ns: int = 0
    seed: int = 0
    calls: int = 0
    modules: tuple[str, ...] = ()


class Measured(msgspec.Struct, frozen=True, tag=True):
    """The cost of each workload and, from a boot that timed, of the floors and of the boot."""

    costs: dict[str, Cost]
    method_call_ns: float = 0.0
    pipe_round_trip_ns: float = 0.0
    boot_ns: float = 0.0
    memory_kib: float = 0.0
    traces: dict[str, Trace] = {}
    copy_prices: CopyPrices = CopyPrices()


class Broken(msgspec.Struct, frozen=True, tag=True):
    """Why there is nothing: a sentence, and whether the system could not even be booted."""

    reason: str
    refused: bool


Answer = Measured | Broken


def carry_out(job: Job) -> Answer:
    """Do a job in this process, which gets pinned by it."""
    pin(job.cpus.user)
    try:
        with pipe_round_trip(job.cpus) as round_trip:
            chosen = _chosen(job)
            others = meter.descendants(os.getpid())
            if job.mode == "trace":
                return _traced(job, chosen)
            if job.mode != "time":
                return _untimed(job, chosen)
            start = perf_counter_ns()
            with _boot(job, chosen) as system:
                taken = perf_counter_ns() - start
                pids = meter.descendants(os.getpid(), without=others)
                measured = _time(job, chosen, system, (method_call(), round_trip), pids)
                memory = meter.memory_kib(pids)
                return msgspec.structs.replace(measured, boot_ns=taken, memory_kib=memory)
    except Refusal as refusal:
        return Broken(str(refusal), refused=True)
    except Failure as failure:
        return Broken(f"{failure} ({job.kernel}).", refused=False)


def _chosen(job: Job) -> list[Workload]:
    known = declared_in(job.modules)
    if not known.keys() >= job.workloads.keys():  # one is declared elsewhere than its function
        known = catalogue()
    chosen = [known[name].with_options(options) for name, options in job.workloads.items()]
    random.Random(job.seed).shuffle(chosen)
    return chosen


def _boot(job: Job, chosen: Sequence[Workload], layers: Sequence[Layer] = ()) -> System:
    services = tuple(dict.fromkeys(service for one in chosen for service in one.services))
    config = {service: settings for one in chosen for service, settings in one.config.items()}
    kernel = choice.parse(job.kernel)
    try:
        count = job.mode == "count"
        return kernel.boot(services, config, job.users, job.cpus, count=count, layers=layers)
    except (OSError, WiringError, BootError) as error:
        raise Refusal(f"{job.kernel} does not boot: {describe(error)}.") from error


def _untimed(job: Job, chosen: Sequence[Workload]) -> Measured:
    requests = Requests()
    with _boot(job, chosen, [requests] if job.mode == "count" else []) as system:
        requests.on = True
        return Measured({one.name: _once(job, one, system, requests) for one in chosen})


def _traced(job: Job, chosen: Sequence[Workload]) -> Measured:
    prices = copy_prices()
    traces = {}
    with watching(), _boot(job, chosen) as system:
        watch_user(system, list(dict.fromkeys(s for one in chosen for s in one.services)))
        for workload in chosen:
            with running(workload, system) as operation:
                traces[workload.name] = trace(operation, once=workload.macro)
    return Measured({}, traces=traces, copy_prices=prices)


def _once(job: Job, workload: Workload, system: System, requests: Requests) -> Cost:
    with running(workload, system) as operation:
        if job.mode == "once":
            return Cost(ns=time_once(operation))
        if job.mode == "repeat":
            return repeat(operation, job.calls)
        return count(operation, system, 1 if workload.macro else COUNTED_CALLS, requests)


def _time(
    job: Job,
    chosen: Sequence[Workload],
    system: System,
    floors: Sequence[timing.Call],
    pids: Sequence[int],
) -> Measured:
    floor_ns = None if NULL in job.workloads else timing.time_calls(floors, FLOOR_BUDGET_NS)
    costs = {}
    for workload in chosen:
        with running(workload, system) as operation:
            if workload.macro:
                costs[workload.name] = account_once(operation, pids)
                continue
            if workload.name == NULL:
                ns, floor_ns = time_beside(operation, floors, job.budget_ns)
            else:
                ns, _ = time_beside(operation, (), job.budget_ns)
            beside = account(operation, pids, ns * operation.ops)
            costs[workload.name] = msgspec.structs.replace(beside, ns=ns)
    method_ns, pipe_ns = floor_ns or (0.0, 0.0)
    return Measured(costs, method_ns, pipe_ns)


def main() -> None:
    """Do the job on standard input, for the process whose id is the first argument."""
    die_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGTERM, _stop)
    try:
        answer = carry_out(_job())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGTERM)
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def _job() -> Job:
    """What is asked for. KeyboardInterrupt: whoever asks was interrupted before the end of it."""
    asked = sys.stdin.buffer.read()
    try:
        return msgspec.json.decode(asked, type=Job)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        raise KeyboardInterrupt from None


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Stop in good order, whatever is being done."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
