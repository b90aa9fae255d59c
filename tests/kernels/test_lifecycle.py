"""From boot to shutdown, under every kernel."""

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kernels import Layer, boot
from tests.conftest import KERNELS, Kernel, eventually
from tests.kernels import programs
from tests.kernels.services import (
    Bugs,
    Desk,
    Early,
    Echo,
    Fragile,
    Journal,
    Mailbox,
    Mood,
    Office,
    Point,
    Settings,
    UpperJournal,
)
from twinos import Bind, BootError, KernelPanic, Op, ServerDied, WiringError

# Booting.


def test_settings_arrive(kernel: Kernel) -> None:
    given = {
        "number": 5,
        "text": "not \udcff UTF-8",
        "mood": Mood.BAD,
        "point": Point(1, 2),
        "items": [b"a", bytearray(b"b")],
    }
    with kernel.boot(Settings, config={Settings: given}) as system:
        expected = (5, "not \udcff UTF-8", Mood.BAD, Point(1, 2), (b"a", b"b"))
        assert system[Settings].all() == expected
    with kernel.boot(Settings) as system:
        assert system[Settings].all() == (1, "x", Mood.GOOD, None, ())


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EACCES, errno.EINVAL])
def test_a_constructor_that_fails_fails_the_boot(kernel: Kernel, code: int) -> None:
    config = {Settings: {"error": code, "text": "/no/such \udcff"}}
    with pytest.raises(OSError, match="/no/such") as caught:
        kernel.boot(Settings, Mailbox, config=config)
    assert type(caught.value) is type(OSError(code, ""))
    assert (caught.value.errno, caught.value.filename) == (code, "/no/such \udcff")


def test_a_constructor_with_a_bug_is_told_in_a_sentence(kernel: Kernel) -> None:
    sentence = "^Settings did not start: ValueError: it \udcff broke$"
    with pytest.raises(BootError, match=sentence):
        kernel.boot(Settings, Mailbox, config={Settings: {"bug": "it \udcff broke"}})


def test_constructors_may_call_others(kernel: Kernel) -> None:
    with kernel.boot(Early) as system:
        assert system[Early].found() == (None, 5)


@pytest.mark.parametrize(
    ("arguments", "options", "complaint"),
    [
        (("exokernel", Echo), {}, "there is no kernel 'exokernel': choose from monolithic"),
        (("monolithic", Echo), {"users": "threads"}, "users are 'inline' or 'process'"),
        (("microkernel",), {}, "nothing to boot"),
        (("microkernel", Echo), {"groups": [[Echo]]}, "hybrid only"),
        (("hybrid", Echo), {}, "the hybrid needs groups="),
        (("hybrid", Echo), {"groups": [[Mailbox]]}, "names Mailbox, which is not in the system"),
        (("hybrid", Office), {"groups": [[Office, Mailbox]]}, "groups call each other in a circle"),
        (("monolithic", int), {}, "is not a service"),
        (("monolithic", Settings), {"config": {Settings: {"numbr": 1}}}, "did you mean number?"),
        (("microkernel", Journal), {}, "Journal needs the setting 'path'"),
    ],
)
def test_what_can_not_be_booted(arguments: Any, options: Any, complaint: str) -> None:
    with pytest.raises(WiringError, match=complaint):
        boot(*arguments, **options)


def test_dependencies_come_along(kernel: Kernel) -> None:
    with kernel.boot(Office) as system:
        assert set(system.services) == {Office, Desk, Echo, Mailbox}
        system[Mailbox].put(b"x")


def test_two_systems_at_once_have_nothing_in_common(kernel: Kernel) -> None:
    with kernel.boot(Mailbox) as one, kernel.boot(Mailbox, Bugs) as other:
        one[Mailbox].put(b"for one")
        assert other[Mailbox].take_within(0) is None
        assert one[Mailbox].take() == b"for one"
        other[Bugs].count()
        one.close()
        assert other[Bugs].count() == 2


def test_from_a_thread(kernel: Kernel) -> None:
    def work() -> int:
        with kernel.boot(Mailbox, Echo) as system:
            system[Mailbox].put(b"x")
            return system[Echo].number(5)

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(work).result(timeout=30) == 5


def test_kernels_run_where_they_are_told(kernel: Kernel) -> None:
    cpu = min(os.sched_getaffinity(0))
    with kernel.boot(Bugs, cpus={cpu}) as system:
        pid = system[Bugs].pid()
        if kernel.remote:
            assert os.sched_getaffinity(pid) == {cpu}
        else:
            assert pid == os.getpid()


# Layers and counts.


def doubled(bind: Bind) -> Bind:
    def layer(operation: Op) -> Callable[..., Any]:
        deliver = bind(operation)
        if operation.name != "number":
            return deliver
        return lambda number: 2 * deliver(number)

    return layer


def increased(bind: Bind) -> Bind:
    def layer(operation: Op) -> Callable[..., Any]:
        deliver = bind(operation)
        return (lambda number: 1 + deliver(number)) if operation.name == "number" else deliver

    return layer


@pytest.mark.parametrize(
    ("layers", "expected"), [([], 5), ([doubled], 10), ([doubled, increased], 11)]
)
def test_layers_lie_around_every_handle(kernel: Kernel, layers: list[Layer], expected: int) -> None:
    with kernel.boot(Early, layers=layers) as system:
        assert system[Echo].number(5) == expected
        assert system[Early].found() == (None, expected)


def test_counts_are_exact(kernel: Kernel) -> None:
    with kernel.boot(Desk, Bugs, count=True) as system:
        system[Echo].null()
        before = system.counts()
        for _ in range(10):
            system[Echo].null()
        after = system.counts()
        each = 2 * kernel.remote
        assert after.messages - before.messages == 10 * each
        assert after.bytes - before.bytes == 10 * 5 * each
        system[Desk].copy(b"x" * 100)
        crossings = system.counts().messages - after.messages
        separate = kernel.kernel in {"microkernel", "hybrid"}
        assert crossings == each + 2 * separate
    with kernel.boot(Echo) as system:
        system[Echo].null()
        assert system.counts() == (0, 0)


# User processes.


def test_a_monolithic_kernel_in_its_users_process_can_serve_no_other() -> None:
    with boot("monolithic", Echo) as system:
        with pytest.raises(WiringError, match="boot it with users='process'"):
            system.process(programs.count_to, 1)
        assert system[Echo].number(1) == 1


REMOTE = [kernel for kernel in KERNELS if kernel.remote]


@pytest.fixture(params=REMOTE, ids=[kernel.name for kernel in REMOTE])
def remote(request: pytest.FixtureRequest) -> Kernel:
    """The kernels that serve other processes."""
    chosen: Kernel = request.param
    return chosen


def test_counts_add_up_over_processes(remote: Kernel) -> None:
    with remote.boot(Echo, count=True) as system:
        before = system.counts()
        running = [system.process(programs.count_to, 50) for _ in range(2)]
        assert [process.join(30) for process in running] == [0, 0]
        assert system.counts().messages - before.messages == 2 * 2 * 50


def test_programs_are_callers_of_their_own(remote: Kernel) -> None:
    with remote.boot(Echo, Mailbox) as system:
        running = [system.process(programs.put_who) for _ in range(3)]
        assert [process.join(30) for process in running] == [7, 7, 7]
        names = {int(system[Mailbox].take()) for _ in range(3)}
        assert len(names) == 3
        assert system.caller.id not in names
        eventually(lambda: names <= set(system[Mailbox].gone()))
        assert running[0].join() == 7
        running[0].kill()


def test_programs_and_threads_at_once(remote: Kernel) -> None:
    with remote.boot(Echo, Mailbox) as system:
        running = [system.process(programs.count_to, 200) for _ in range(3)]
        for number in range(300):
            assert system[Echo].number(number) == number
        assert [process.join(60) for process in running] == [0, 0, 0]


def test_a_program_waits_and_is_woken(remote: Kernel) -> None:
    with remote.boot(Mailbox, Bugs) as system:
        taker = system.process(programs.take)
        eventually(lambda: system[Mailbox].waiting() == 1)
        with pytest.raises(TimeoutError, match=r"still runs after 0\.01 s"):
            taker.join(0.01)
        putter = system.process(programs.put, b"12345")
        assert (putter.join(30), taker.join(30)) == (0, 5)


def test_a_program_shares_a_region(remote: Kernel) -> None:
    with remote.boot(Bugs, Echo) as system:
        system[Bugs].count()
        process = system.process(programs.read_region)
        assert process.join(30) == 1
        assert system.region(Bugs, "store").memory[1] == 9


def test_how_programs_end(remote: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
    with remote.boot(Mailbox, Bugs, Echo) as system:
        assert system.process(programs.leave).join(30) == 5
        assert system.process(programs.be_killed).join(30) == -9
        assert system.process(programs.fail, "a bug in a program").join(30) > 0
        assert "ValueError: a bug in a program" in capfd.readouterr().err
        waiter = system.process(programs.wait_for_ever)
        eventually(lambda: system[Bugs].waiting() == 1)
        waiter.kill()
        assert waiter.join(30) == -9


def test_programs_that_run_on_end_with_the_system(remote: Kernel) -> None:
    with remote.boot(Mailbox, Echo) as system:
        process = system.process(programs.loop)
        assert system[Mailbox].take() == b"looping"
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    assert process.join() == -9


def test_services_learn_that_a_program_was_killed(remote: Kernel) -> None:
    with remote.boot(Mailbox, Echo) as system:
        process = system.process(programs.take)
        eventually(lambda: system[Mailbox].waiting() == 1)
        assert system[Mailbox].gone() == ()
        process.kill()
        process.join()
        eventually(lambda: len(system[Mailbox].gone()) == 1)
        assert system[Mailbox].waiting() == 0


# The end.


def test_services_stop_in_order_callers_first(kernel: Kernel, tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    config = {Journal: {"path": path}, UpperJournal: {"path": path}}
    with kernel.boot(UpperJournal, config=config) as system:
        system[Journal].note("work")
    lines = Path(path).read_text().splitlines()
    assert set(lines[:2]) == {"Journal start", "UpperJournal start"}  # servers start side by side
    assert lines[2:] == [
        "Journal work",
        "Journal flush",
        "UpperJournal stop",
        "Journal stop",
    ]


def test_the_others_stop_even_if_one_can_not(kernel: Kernel, tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    config = {
        Journal: {"path": path},
        UpperJournal: {"path": path, "refuse": errno.ENOSPC},
    }
    system = kernel.boot(UpperJournal, config=config)
    with pytest.raises(OSError, match="No space left") as caught:
        system.close()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, path)
    assert Path(path).read_text().splitlines()[-2:] == ["UpperJournal stop", "Journal stop"]
    system.close()


def test_a_bug_while_stopping_is_told(kernel: Kernel, tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    config = {Journal: {"path": path}, UpperJournal: {"path": path, "bug": True}}
    system = kernel.boot(UpperJournal, config=config)
    with pytest.raises((KernelPanic, ServerDied), match="ValueError: a bug in an upper journal"):
        system.close()
    if kernel.name == "microkernel":  # elsewhere the two share a process
        assert Path(path).read_text().splitlines()[-1] == "Journal stop"


def test_an_exception_in_the_body_shuts_down_all_the_same(kernel: Kernel, tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    config = {Journal: {"path": path}}
    with pytest.raises(LookupError), kernel.boot(Journal, config=config):
        raise LookupError
    assert Path(path).read_text().splitlines() == ["Journal start", "Journal stop"]


def test_use_after_the_end(kernel: Kernel) -> None:
    system = kernel.boot(Echo, Bugs)
    echo, user = system[Echo], system.user(uid=5)
    theirs = user[Echo]
    assert echo.number(1) == theirs.number(1)
    system.close()
    system.close()
    for call in (echo.null, theirs.null, lambda: user[Bugs].null(), system.user):  # noqa: PLW0108 (the stub is not made before)
        with pytest.raises(KernelPanic, match="the system has been shut down"):
            call()
    for refused in (lambda: system[Echo], lambda: system.region(Bugs, "store")):
        with pytest.raises(WiringError):
            refused()
    user.close()
    assert "shut down" in repr(system)
    assert system.counts() == (0, 0)


def test_shutdown_wakes_who_waits(kernel: Kernel) -> None:
    system = kernel.boot(Mailbox)
    mailbox = system[Mailbox]
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            mailbox.take()
        except BaseException as error:  # noqa: BLE001 (whatever it is)
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: mailbox.waiting() == 1)
    system.close()
    thread.join(10)
    assert [type(error) for error in ended] == [KernelPanic]


def test_a_system_that_is_dropped_shuts_down(kernel: Kernel, tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    system = kernel.boot(Journal, config={Journal: {"path": path}})
    assert system.services
    del system
    assert Path(path).read_text().splitlines() == ["Journal start", "Journal stop"]


def test_a_service_that_starts_once(kernel: Kernel) -> None:
    with kernel.boot(Fragile) as system:
        system[Fragile].null()
