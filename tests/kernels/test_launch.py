"""How processes start: by fork, or as fresh interpreters; and what forked children may do."""

import enum
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import boot
from kernels.launch import thread_count
from kernels.portable import pack, unpack
from tests.conftest import Kernel, eventually, reap_orphans
from tests.kernels.services import Card, Echo, Mood, Point
from twinos import Service, WiringError, op

ROOT = Path(__file__).parents[2]

# What a fresh interpreter is told.

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False),
        st.text(st.characters(categories=None)),
        st.binary(),
        st.sampled_from([Mood.BAD, Point(1, 2), Card("x \udcff"), Echo]),
    ),
    lambda some: st.one_of(
        st.lists(some, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=3), some, max_size=3),
    ),
    max_leaves=8,
)


@given(VALUES)
def test_values_travel(value: Any) -> None:
    assert unpack(pack(value)) == value


def test_functions_and_classes_travel_by_name() -> None:
    for thing in (Echo, Echo.number, Mood, boot, Kernel.boot):
        assert unpack(pack(thing)) is thing
    assert unpack(pack({Echo: {"a": [1, Mood.GOOD]}})) == {Echo: {"a": (1, Mood.GOOD)}}


class Outer:
    class Inner(enum.Enum):
        ONE = 1


def test_nested_classes_travel() -> None:
    assert unpack(pack(Outer.Inner.ONE)) is Outer.Inner.ONE


@pytest.mark.parametrize(
    "value",
    [lambda: None, object(), {1: object()}, threading.Lock(), 1j, bytearray(b"x"), range(3)],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_name_can_not_travel(value: Any) -> None:
    with pytest.raises(WiringError):
        pack(value)


def test_what_is_defined_in_a_function_says_so() -> None:
    class Local(Service):
        pass

    with pytest.raises(WiringError, match=r"Local is defined inside a function.*find it"):
        pack((Local,))


def test_damaged_packages_lead_nowhere() -> None:
    nowhere = {"type": "named", "module": "nowhere_at_all", "file": None, "name": "x"}
    for data in (b"", b"\xc1", msgspec.msgpack.encode(nowhere)):
        with pytest.raises((msgspec.DecodeError, ImportError)):
            unpack(data)


# Scripts: what happens in a process of its own.

HEAD = """
import os, sys, threading
from kernels import boot
from kernels.launch import thread_count
from twinos import Service, op
from tests.kernels.services import Echo, Mailbox, Settings, Bugs
"""


def script(text: str, tmp_path: Path, *, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a script as a user would, warnings being errors; it leaves nothing."""
    file = tmp_path / "script.py"
    file.write_text(HEAD + text)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, str(file)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    reap_orphans()
    assert done.returncode == status, done.stdout + done.stderr
    return done


IN_A_FUNCTION = """
def main(kernel, users):
    class Local(Service):
        @op
        def double(self, number: int) -> int:
            return 2 * number

    def program(user, number):
        return user[Local].double(number)

    with boot(kernel, Local, users=users) as system:
        assert system[Local].double(4) == 8
        if (kernel, users) != ("monolithic", "inline"):
            assert system.process(program, 21).join() == 42

if __name__ == "__main__":
    assert thread_count() == 1
    for users in ("inline", "process"):
        main("monolithic", users)
    main("microkernel", "inline")
    assert thread_count() == 1
"""


def test_from_a_single_thread_whatever_is_defined_is_there(tmp_path: Path) -> None:
    assert script(IN_A_FUNCTION, tmp_path).stderr == ""


THREADED = """
class Top(Service):
    @op
    def double(self, number: int) -> int:
        return 2 * number

def program(user, number):
    return user[Top].double(number)

if __name__ == "__main__":
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    assert thread_count() == 2
    for kernel, users in (("monolithic", "process"), ("microkernel", "inline")):
        config = {Settings: {"text": "\\udcff"}}
        with boot(kernel, Top, Settings, users=users, config=config) as system:
            assert system[Top].double(4) == 8
            assert system[Settings].all()[1] == "\\udcff"
            assert system.process(program, 21).join() == 42
    stop.set()
    other.join()
"""


def test_from_several_threads_a_fresh_interpreter_finds_it_by_name(tmp_path: Path) -> None:
    assert script(THREADED, tmp_path).stderr == ""


def test_a_script_that_boots_when_imported_is_told_so(tmp_path: Path) -> None:
    text = """
class Top(Service):
    pass

stop = threading.Event()
other = threading.Thread(target=stop.wait, daemon=True)
other.start()
with boot("microkernel", Top) as system:
    pass
"""
    done = script(text, tmp_path, status=1)
    assert "put that part under if __name__ == '__main__':" in done.stderr


def test_a_local_service_from_several_threads_is_refused_in_a_sentence(tmp_path: Path) -> None:
    text = """
def main():
    class Local(Service):
        pass
    stop = threading.Event()
    threading.Thread(target=stop.wait, daemon=True).start()
    before = len(os.listdir("/proc/self/fd"))
    try:
        boot("microkernel", Local)
    except ValueError as error:
        print(error)
    assert len(os.listdir("/proc/self/fd")) == before

main()
"""
    assert "define it at the top of a module" in script(text, tmp_path).stdout


def test_nothing_is_printed_twice_and_print_works_in_programs(tmp_path: Path) -> None:
    text = """
def program(user):
    print("from the program")

if __name__ == "__main__":
    print("before")
    with boot("microkernel", Echo) as system:
        system.process(program).join()
    print("after")
"""
    assert script(text, tmp_path).stdout.split("\n") == ["before", "from the program", "after", ""]


def test_streams_put_in_place_of_the_standard_ones_are_not_written_to(tmp_path: Path) -> None:
    text = """
import contextlib
if __name__ == "__main__":
    with open(sys.argv[0] + ".log", "w") as log, contextlib.redirect_stderr(log):
        with boot("microkernel", Bugs, Echo) as system:
            for _ in range(3):
                try:
                    system[Bugs].complain("aloud")
                except ConnectionResetError as error:
                    assert "aloud" in str(error), error
            assert system[Echo].number(1) == 1
"""
    done = script(text, tmp_path)
    assert done.stderr.count("ValueError: aloud") == 3
    assert (tmp_path / "script.py.log").read_text() == ""


def test_the_parents_descriptors_are_not_open_in_servers(tmp_path: Path) -> None:
    text = """
if __name__ == "__main__":
    secret = open(sys.argv[0] + ".secret", "w")
    os.set_inheritable(secret.fileno(), True)
    with boot("microkernel", Bugs) as system:
        pid = system[Bugs].pid()
        with open(f"/proc/{pid}/stat") as stat:
            nucleus = int(stat.read().rpartition(")")[2].split()[1])
        for process in (pid, nucleus):
            for entry in os.listdir(f"/proc/{process}/fd"):
                assert "secret" not in os.readlink(f"/proc/{process}/fd/{entry}")
    secret.close()
"""
    script(text, tmp_path)


# Children that user code forks.


FORKS = """
import signal

def fork(work):
    source, sink = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            text = repr(work())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(sink, text.encode())
        os._exit(0)
    os.close(sink)
    with os.fdopen(source) as file:
        text = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return text

def gone(system):
    return len(system[Mailbox].gone())

def until(condition):
    import time
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)
"""


def test_a_forked_child_is_another_caller(tmp_path: Path) -> None:
    text = (
        FORKS
        + """
if __name__ == "__main__":
    for kernel, users in (("microkernel", "inline"), ("monolithic", "process")):
        with boot(kernel, Echo, Mailbox, users=users, count=True) as system:
            echo = system[Echo]
            with system.user(uid=5, gid=6, groups=(7,)) as user:
                theirs = user[Echo]
                mine = echo.caller(), theirs.caller()
                before = system.counts().messages
                child = fork(lambda: (echo.caller(), theirs.caller(), user[Mailbox].waiting()))
                seen = eval(child, {"Caller": type(mine[0])})
                assert {c.id for c in seen[:2]}.isdisjoint({c.id for c in mine}), (seen, mine)
                assert [c[1:] for c in seen[:2]] == [c[1:] for c in mine]
                assert system.counts().messages - before == 6
                assert (echo.caller(), theirs.caller()) == mine
                until(lambda: gone(system) == 2)
                shown = fork(lambda: [echo.number(n) for n in range(100)][-1])
                assert shown == "99"
                inner = fork(lambda: fork(lambda: theirs.caller().uid))
                assert inner == "'5'"

                def new_user():
                    with system.user(uid=9) as third:
                        assert third[Echo].caller() == third.caller, third.caller
                        return third.caller.uid
                assert fork(new_user) == "9"
                assert fork(system.close) == "None"
            assert echo.number(1) == 1
"""
    )
    script(text, tmp_path)


def test_a_monolithic_kernel_stays_with_its_process(tmp_path: Path) -> None:
    text = (
        FORKS
        + """
from tests.kernels.services import Journal
if __name__ == "__main__":
    path = sys.argv[0] + ".journal"
    with boot("monolithic", Echo, Journal, Mailbox, config={Journal: {"path": path}}) as system:
        echo, parent = system[Echo], os.getpid()
        expected = f"KernelPanic: this system belongs to process {parent}"
        assert fork(echo.null) == expected
        assert fork(lambda: system[Mailbox].put(b"x")) == expected
        assert fork(system.close) == "None"
        assert echo.number(1) == 1
        system[Journal].note("parent")
        pid = os.fork()
        if not pid:
            sys.exit(4)  # finalizers and all
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4
    with open(path) as journal:
        assert journal.read() == "Journal start\\nJournal parent\\nJournal stop\\n"
"""
    )
    script(text, tmp_path)


def test_a_child_that_outlives_the_system_is_told(tmp_path: Path) -> None:
    text = (
        FORKS
        + """
if __name__ == "__main__":
    system = boot("microkernel", Echo)
    echo = system[Echo]
    echo.null()
    go, gone_ = os.pipe()
    back, answer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(gone_)
        os.read(go, 1)
        try:
            echo.null()
        except Exception as error:
            os.write(answer, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    system.close()
    os.close(gone_)
    print(os.read(back, 200).decode())
    os.waitpid(pid, 0)
"""
    )
    assert script(text, tmp_path).stdout == "KernelPanic: the kernel's process is gone\n"


def test_multiprocessing_workers_use_the_system(tmp_path: Path) -> None:
    text = """
import multiprocessing
def work(number):
    return ECHO.number(number)

if __name__ == "__main__":
    with boot("microkernel", Echo) as system:
        ECHO = system[Echo]
        ECHO.null()
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(work, range(50)) == list(range(50))
        assert ECHO.number(1) == 1
"""
    script(text, tmp_path)


def test_a_subprocess_inherits_nothing(kernel: Kernel) -> None:
    def inherited() -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", "import os; os.system('ls -l /proc/$PPID/fd')"],
            capture_output=True,
            text=True,
            check=True,
            close_fds=False,
        )
        return set(re.findall(r"([3-9]|\d{2,}) -> ", done.stdout))

    before = inherited()
    with kernel.boot(Echo) as system:
        system[Echo].null()
        assert inherited() == before
        assert system[Echo].number(1) == 1


def test_thread_count() -> None:
    before = thread_count()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    assert thread_count() == before + 1
    stop.set()
    thread.join()
    eventually(lambda: thread_count() == before)


# Kernels that start in a fresh interpreter.

secret: list[int] = []


class Curious(Service):
    """Looks for what the process has that booted it."""

    @op
    def find(self) -> tuple[int, ...]:
        """What is in `secret` here."""
        return tuple(secret)


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_a_fresh_kernel_holds_nothing_of_its_users_memory(kernel: str) -> None:
    secret.append(42)
    try:
        with boot(kernel, Curious, users="process") as system:
            forked = system[Curious].find()
        with boot(kernel, Curious, users="process", fresh=True) as system:
            assert system[Curious].find() == ()
        assert forked in {(42,), ()}  # a process of several threads never forks
    finally:
        secret.clear()


def test_a_kernel_in_its_user_is_never_fresh() -> None:
    with pytest.raises(WiringError, match="this one is in its user"):
        boot("monolithic", Curious, fresh=True)
