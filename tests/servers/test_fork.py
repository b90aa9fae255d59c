"""fork and exec: two processes out of one, and another program in its place."""

import errno
import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import boot
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.process import Process, ProcessManager
from tests.conftest import Kernel, eventually
from tests.servers import forkers
from tests.servers.forking import CONTENT, Script, interpret_on_host
from tests.servers.test_process import REMOTE, SERVICES, Machine, run, run_killing


@pytest.fixture(params=REMOTE, ids=[kernel.name for kernel in REMOTE], scope="module")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    kernel: Kernel = request.param
    config = {ProcessManager: {"processes": 12}, MemoryManager: {"pages": 256, "page_tables": 64}}
    with kernel.boot(*SERVICES, config=config) as system:
        machine = Machine(system, forkers)
        machine.write("/bin/interpret", "#!twinos tests.servers.forking:interpret\n", 0o755)
        yield machine
        machine.process.leave(0)


def test_it_returns_twice(machine: Machine) -> None:
    status, said = run(machine, "twice")
    child = int(said.split()[1])
    assert (status, said) == (0, f"child {child}\nparent of {child}: 7\n".encode())
    assert run(machine, "returns") == (3, b"")


def test_what_is_open_is_shared(machine: Machine) -> None:
    assert run(machine, "shares") == (0, b"cd")


def test_memory_is_copied_on_write(machine: Machine) -> None:
    assert run(machine, "copies_memory") == (0, b"hello")


def test_what_a_child_inherits(machine: Machine) -> None:
    assert run(machine, "inherits") == (42, b"")
    assert run(machine, "handles") == (9, f"caught {int(signal.SIGUSR1)}\n".encode())


def test_children_of_children(machine: Machine) -> None:
    assert run(machine, "generations", "5") == (5, b"")


def test_a_fork_bomb_is_stopped_by_the_limit(machine: Machine) -> None:
    status, said = run_killing(machine, "forks_for_ever")
    # The last place in the table is kept for whoever is no program.
    assert (status, said) == (0, f"{errno.EAGAIN} after 8\n".encode())
    assert run(machine, "returns") == (3, b"")


def test_a_program_is_replaced(machine: Machine) -> None:
    before = {info.pid for info in machine.process.manager.processes()}
    assert run(machine, "replaced", "6") == (6, b"still here\nBad file descriptor\n")
    assert {info.pid for info in machine.process.manager.processes()} == before


def test_fork_and_exec(machine: Machine) -> None:
    assert run(machine, "fork_and_exec") == (5, b"a b\n")


def test_a_program_is_mapped(machine: Machine) -> None:
    assert run(machine, "maps_itself") == (0, b"#!twinos tests\n")


def test_nothing_is_left_in_memory(machine: Machine) -> None:
    memory = machine.system[MemoryManager]
    assert run(machine, "copies_memory")[0] == 0
    assert run(machine, "replaced", "0")[0] == 0
    eventually(lambda: memory.meminfo().spaces == 0)


def test_who_was_not_started_does_not_fork(machine: Machine) -> None:
    for attempt in (machine.process.fork, lambda: machine.process.exec("/bin/prints", ["prints"])):
        with pytest.raises(PermissionError):
            attempt()
    assert len(machine.process.manager.processes()) == 2


def test_inline_there_is_one_process() -> None:
    with boot("monolithic", *SERVICES) as system:
        files = system[FileSystem]
        fd = files.open("/p", os.O_CREAT | os.O_WRONLY, 0o755)
        files.write(fd, b"#!twinos tests.servers.forkers:returns\n")
        process = Process.enter(system, "tests", {})
        for attempt in (process.fork, lambda: process.exec("/p", ["p"])):
            with pytest.raises(OSError, match="users='process'") as caught:
                attempt()
            assert caught.value.errno == errno.ENOSYS
        assert len(process.manager.processes()) == 2


_reads = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 9)),
    st.tuples(st.just("dup"), st.integers(0, 9)),
    st.tuples(st.just("seek"), st.integers(-3, 20), st.sampled_from([0, 1, 2])),
)
_pipes = st.one_of(
    st.tuples(st.just("pipe")),
    st.tuples(st.just("put"), st.integers(0, 3), st.integers(1, 9)),
    st.tuples(st.just("get"), st.integers(0, 3)),
    st.tuples(st.just("shut"), st.integers(0, 3), st.integers(0, 1)),
)
_waits = st.sampled_from([("wait",), ("reap",), ("stop",)])
_statuses = st.sampled_from([0, 1, 7, 255, -signal.SIGTERM, -signal.SIGKILL])
# A child that its parent waits for at once may touch what they share; others would race.
_apart = st.lists(st.tuples(st.just("fork"), st.just([]), _statuses) | _waits, max_size=2)
_fork = st.tuples(st.just("fork"), _apart, _statuses)
_scripts = st.recursive(
    st.lists(_reads | _pipes | _waits | _fork, max_size=6),
    lambda inner: st.lists(
        _reads | _pipes | _waits | _fork | st.tuples(st.just("call"), inner, _statuses), max_size=6
    ),
    max_leaves=4,
)


@settings(max_examples=25)
@given(script=_scripts)
def test_as_on_the_host(machine: Machine, script: Script) -> None:
    text = json.dumps(script)
    machine.write("/forking", CONTENT.decode())
    machine.write("/log", "")
    pid, source = machine.start("interpret", text)
    assert (machine.rest(source), machine.wait(pid)) == (b"", 0)
    eventually(lambda: len(machine.process.manager.processes()) == 2)
    with tempfile.TemporaryDirectory() as directory:
        for name, content in (("forking", CONTENT), ("log", b"")):
            Path(directory, name).write_bytes(content)
        interpret_on_host(directory, text)
        told = sorted(Path(directory, "log").read_bytes().splitlines())
    fd = machine.process.open("/log")
    said = b"".join(iter(lambda: machine.process.read(fd, 4096), b""))
    machine.process.close(fd)
    assert sorted(said.splitlines()) == told
