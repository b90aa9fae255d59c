"""Requests whose results are asked for later: the same as requests made one by one."""

import errno
import gc
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System, User, boot
from kernels.frames import BUNDLE, FAILED, HEADER, LARGE, OK, SIZE, frame
from tests.conftest import PATIENCE, Kernel, eventually
from tests.kernels.channels import channel
from tests.kernels.services import Bugs, Desk, Echo, Mailbox
from tests.kernels.test_privileges import Guard, Vault, line_of
from twinos import KernelPanic, ServerDied, Service, WiringError, only, op, operations
from twinos.codec import encode

Ask = tuple[str, tuple[Any, ...]]


def outcome(call: Callable[[], Any]) -> Any:
    """What a call comes to: its result, or its error."""
    try:
        return call()
    except OSError as error:
        return type(error), error.args, error.filename, error.filename2


asks = st.one_of(
    st.tuples(st.just("number"), st.tuples(st.integers(-(2**63), 2**64 - 1))),
    st.tuples(st.just("text"), st.tuples(st.text(max_size=9) | st.just("\udcff"))),
    st.tuples(
        st.just("data"),
        st.tuples(st.sampled_from([0, 1, 100, 5000, LARGE - 20, LARGE, 3 * LARGE]).map(bytes)),
    ),
    st.tuples(st.just("null"), st.just(())),
    st.tuples(st.just("caller"), st.just(())),
    st.tuples(st.just("listed"), st.just(())),
    st.tuples(
        st.just("fails"),
        st.tuples(
            st.sampled_from([errno.ENOENT, errno.EIO, errno.EPERM]),
            st.sampled_from(["why", "x" * 2 * LARGE]),
            st.sampled_from([None, "name"]),
            st.none(),
        ),
    ),
)
programs = st.lists(st.one_of(*[asks] * 6, st.just(("look", ()))), max_size=30)


def method(user: User, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(user[Desk if name == "look" else Echo], name)
    return found


@pytest.fixture(scope="module", params=["monolithic", "microkernel"])
def system(request: pytest.FixtureRequest) -> Any:
    with boot(request.param, Desk) as system:
        yield system


@given(programs, st.integers(1, 8), st.booleans())
@settings(max_examples=60)
def test_later_comes_to_the_same_as_at_once(
    system: System, program: list[Ask], most: int, queued: bool
) -> None:
    expected = [outcome(lambda a=ask: method(system, a[0])(*a[1])) for ask in program]  # type: ignore[misc]  # the loop's own
    with system.queue(most) if queued else system.batch(most) as later:
        pending = [later(method(system, name), *arguments) for name, arguments in program]
    assert all(each.done for each in pending)
    assert [outcome(each.result) for each in pending] == expected
    assert [outcome(each.result) for each in pending] == expected  # asked again


def test_requests_keep_their_order_across_services(kernel: Kernel, rng: random.Random) -> None:
    with kernel.boot(Desk) as system:
        put, collect = system[Mailbox].put, system[Desk].collect
        for make in (system.batch, system.queue):
            items = [rng.randbytes(4) for _ in range(50)]
            with make(7) as later:
                got = []
                for item in items:
                    later(put, item[:2])
                    later(put, item[2:])
                    got.append(later(collect))
            assert [each.result() for each in got] == items


def test_a_batch_is_carried_when_it_is_full_or_asked(kernel: Kernel) -> None:
    with kernel.boot(Mailbox) as system:
        waiting, put = system[Mailbox].take_within, system[Mailbox].put
        later = system.batch(3)
        made = [later(put, b"1"), later(put, b"2")]
        assert not any(each.done for each in made)
        made.append(later(put, b"3"))
        assert all(each.done for each in made)
        last = later(waiting, 1.0)
        assert not last.done
        assert last.result() == b"10"  # an item, and who asks
        assert last.done


def test_how_many_messages(kernel: Kernel) -> None:
    if not kernel.remote:
        pytest.skip("nothing crosses")
    with kernel.boot(Echo, count=True) as system:
        number = system[Echo].number
        number(1)
        for many, most, messages in ((64, 64, 2), (64, 16, 8), (5, 64, 2), (0, 64, 0)):
            before = system.counts().messages
            with system.batch(most) as later:
                pending = [later(number, each) for each in range(many)]
            assert system.counts().messages - before == messages
            assert [each.result() for each in pending] == list(range(many))


def test_ill_typed_arguments_are_refused_at_once(kernel: Kernel) -> None:
    with kernel.boot(Echo) as system, system.batch() as later:
        with pytest.raises(TypeError, match="argument 'number'"):
            later(system[Echo].number, "1")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            later(system[Echo].number)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="no operation of a handle of this user"):
            later(len, "x")
        good = later(system[Echo].by_name, 1, two=2)
    assert good.result() == (1, 2, 3)


def test_a_batch_left_by_an_exception_sends_nothing_more(kernel: Kernel) -> None:
    with kernel.boot(Mailbox) as system:
        later = system.batch(2)
        made: list[Any] = []

        def fail_in_the_middle() -> None:
            with later:
                made.extend(later(system[Mailbox].put, item) for item in (b"1", b"2", b"3"))
                raise KeyError

        with pytest.raises(KeyError):
            fail_in_the_middle()
        assert [outcome(each.result) for each in made[:2]] == [None, None]
        with pytest.raises(OSError, match="canceled") as refused:
            made[2].result()
        assert refused.value.errno == errno.ECANCELED
        assert system[Mailbox].take() == b"1"


def test_a_queue_goes_on_while_its_user_does(kernel: Kernel) -> None:
    with kernel.boot(Mailbox) as system, system.user() as friend, friend.queue() as later:
        taken = [later(friend[Mailbox].take) for _ in range(3)]
        eventually(lambda: system[Mailbox].waiting() == 1)
        assert not taken[0].done
        for item in (b"a", b"b", b"c"):
            system[Mailbox].put(item)
        assert [each.result() for each in taken] == [b"a", b"b", b"c"]


def test_a_queue_has_so_many_outstanding_and_no_more(kernel: Kernel) -> None:
    with kernel.boot(Mailbox) as system, system.user() as friend, friend.queue(4) as later:
        made: list[Any] = []
        maker = threading.Thread(
            target=lambda: made.extend(later(friend[Mailbox].take) for _ in range(6))
        )
        maker.start()
        eventually(lambda: system[Mailbox].waiting() == 1)
        eventually(lambda: later._work._open == 4)
        assert len(made) <= 4
        for number in range(6):
            system[Mailbox].put(bytes([number]))
        maker.join()
        assert [each.result() for each in made] == [bytes([number]) for number in range(6)]


def test_the_thread_of_a_dropped_queue_ends(kernel: Kernel) -> None:
    with kernel.boot(Echo) as system:
        later = system.queue()
        thread = later._thread
        assert later(system[Echo].number, 5).result() == 5
        del later
        gc.collect()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_an_ended_queue_takes_nothing_more(kernel: Kernel) -> None:
    with kernel.boot(Echo) as system:
        with system.queue() as later:
            pass
        with pytest.raises(OSError, match="canceled"):
            later(system[Echo].null)


@pytest.mark.parametrize("most", [0, -1, 1025, "64", None])
def test_how_many_is_a_number(kernel: Kernel, most: Any) -> None:
    with kernel.boot(Echo) as system:
        for make in (system.batch, system.queue):
            with pytest.raises(WiringError, match="from 1 to 1024"):
                make(most)


def test_a_bug_among_others(kernel: Kernel) -> None:
    apart = {"groups": [[Bugs]]} if kernel.kernel == "hybrid" else {}
    with kernel.boot(Bugs, Echo, **apart) as system:
        with system.batch() as later:
            before = later(system[Echo].number, 1)
            bug = later(system[Bugs].divide, 0)
            after = later(system[Echo].number, 2)
        assert before.result() == 1
        with pytest.raises(KernelPanic if kernel.panics else ServerDied, match="ZeroDivision"):
            bug.result()
        if kernel.panics:
            with pytest.raises(KernelPanic):
                after.result()
        else:
            assert after.result() == 2
            assert system[Bugs].divide(1) == 1


def test_what_may_be_repeated_is_when_its_server_died() -> None:
    with boot("microkernel", Bugs) as system:
        bugs = system[Bugs]
        with system.batch() as later:
            first, second, third = later(bugs.again), later(bugs.die_once), later(bugs.count)
        assert first.result() == 0
        assert second.result() == 3
        with pytest.raises(ServerDied):
            third.result()
        assert bugs.count() == 1


def test_nobody_is_there_any_more(kernel: Kernel) -> None:
    with kernel.boot(Echo) as system:
        null = system[Echo].null
        later = system.batch()
        pending = later(null)
    with pytest.raises(KernelPanic, match="shut down"):
        pending.result()
    with pytest.raises(WiringError, match="left the system"):
        system.batch()(null)


def test_privileges_are_those_of_single_requests(kernel: Kernel) -> None:
    with kernel.boot(Guard) as system, system.user(uid=5) as user, user.batch() as later:
        refused, allowed = later(user[Vault].look), later(user[Guard].watch)
        assert allowed.result() == 0
        with pytest.raises(PermissionError, match=r"user may not call Vault\.look"):
            refused.result()


class Thief(Service):
    """May look into the vault, and asks for more in a bundle that it wrote itself."""

    def __init__(self, vault: Annotated[Vault, only("look")]) -> None:
        self._vault = vault

    @op
    def steal(self) -> bytes:
        """The reply to a bundle of `look` and `rob`."""
        self._vault.look()
        asked = [frame(operations(Vault)[name].number, b"") for name in ("look", "rob", "look")]
        line = line_of(self._vault)
        return bytes(line.exchange(frame(BUNDLE, encode(asked)), LARGE))


def test_a_bundle_by_hand_gets_no_further_than_a_request() -> None:
    with boot("microkernel", Thief) as system:
        system[Vault].put(4)
        replies = split(system[Thief].steal())
        assert [status for status, _ in replies] == [OK, FAILED, OK]
        assert b"Thief may not call Vault.rob" in replies[1][1]
        assert system[Vault].look() == 4


def exchange(end: Any, *requests: bytes) -> list[tuple[int, bytes]]:
    """The replies to a bundle written by hand."""
    end.send(frame(BUNDLE, encode(requests)))
    return split(bytes(end.receive(LARGE)))


def split(reply: bytes) -> list[tuple[int, bytes]]:
    """The status and payload of each reply in a bundle's."""
    replies = msgspec.msgpack.decode(reply[SIZE:])
    assert all(HEADER.unpack_from(each)[0] == len(each) - SIZE for each in replies)
    return [(each[SIZE - 1], each[SIZE:]) for each in replies]


def test_bundles_on_the_wire() -> None:
    with boot("microkernel", Echo) as system:
        end = channel(system)
        number, null = operations(Echo)["number"].number, operations(Echo)["null"].number
        asked = (frame(number, encode((7,))), frame(null, b""), frame(number, encode((8,))))
        assert exchange(end, *asked) == [(OK, encode(7)), (OK, b""), (OK, encode(8))]
        assert exchange(end, frame(operations(Echo)["fails_oddly"].number, b""))[0][0] == FAILED
        end.close()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0",
        b"\0\0\0\0",
        frame(0, b""),
        encode([]),
        encode([b""]),
        encode([frame(0, b"")[:-1]]),
        encode([frame(0, b"")])[:-1],
        encode([frame(0, b"")]) + b"\0",
        encode([frame(0, b"") + b"\1\0\0\0\0"]),
        encode([HEADER.pack(2**32 - 1, 0)]),
        encode([HEADER.pack(2**31, 0)]),
        encode([HEADER.pack(1, 1)]),
        encode([frame(BUNDLE, encode([frame(0, b"")]))]),
        encode([frame(200, b"")]),
        encode([frame(1, b"\xc1")]),
        encode([frame(0, b"x")]),
        encode([7]),
        encode([frame(0, b"")] * 1025),
        b"\xdd\xff\xff\xff\xff",
    ],
)
def test_malformed_bundles_cost_their_sender_the_channel(payload: bytes) -> None:
    with boot("microkernel", Echo) as system:
        pid = system[Echo].pid()
        end = channel(system)
        end.send(frame(BUNDLE, payload))
        with pytest.raises(EOFError):
            end.receive(LARGE)
        end.close()
        assert system[Echo].pid() == pid


def test_random_bundles_kill_nobody(rng: random.Random) -> None:
    good = [frame(0, b""), frame(1, encode((7,))), frame(3, encode((bytes(100),)))]
    with boot("microkernel", Echo) as system:
        pid = system[Echo].pid()
        for _ in range(150):
            payload = bytearray(encode(rng.choices(good, k=rng.randrange(6))))
            for _ in range(rng.randrange(4)):
                if payload:
                    payload[rng.randrange(len(payload))] = rng.randrange(256)
            end = channel(system)
            end.send(frame(BUNDLE, bytes(payload)))
            with suppress(EOFError):
                end.receive(LARGE)
            end.close()
        assert system[Echo].pid() == pid


def test_replies_that_are_none_are_no_results(monkeypatch: pytest.MonkeyPatch) -> None:
    with boot("microkernel", Echo) as system, system.batch() as later:
        pending = later(system[Echo].number, 1)
        whole = frame(OK, b"")
        for payload in (b"", encode([whole[:-1]]), encode([whole] * 2), encode([7])):
            lie = frame(OK, payload)
            monkeypatch.setattr(pending.carrier, "_exchange", lambda _m, _r, lie=lie: lie)
            later.flush()
            with pytest.raises(OSError, match="replies to 1 requests"):
                pending.result()
            pending = later(system[Echo].number, 1)
        monkeypatch.undo()
        assert pending.result() == 1
