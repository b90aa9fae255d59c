"""Who may call what: refused by the stub, and by kernel and server to whom goes round the stub."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from typing import Annotated

import pytest

from kernels import System, User, boot
from kernels.agent import Agent
from kernels.control import Become, Connect, Enrol, Share
from kernels.frames import HEADER, SIZE, frame
from kernels.line import Line
from kernels.pipes import PIPE, PipeChannel
from kernels.remote import deliver
from tests.conftest import Kernel
from twinos import Region, Service, only, op, operations, shared
from twinos.codec import encode


class Vault(Service, privileged=True):
    """What is kept from users."""

    def __init__(self, gold: Region) -> None:
        if not gold.size:
            gold.resize(8)
        self._gold = gold

    @op
    def look(self) -> int:
        return self._gold.memory[0]

    @op
    def put(self, coins: int) -> None:
        self._gold.memory[0] += coins

    @op
    def rob(self) -> int:
        coins, self._gold.memory[0] = self._gold.memory[0], 0
        return coins


class Guard(Service):
    """Two handles to the vault, each with its own privileges."""

    def __init__(
        self,
        vault: Annotated[Vault, only("look")],
        slot: Annotated[Vault, only("put")],
        board: Annotated[Region, shared],
    ) -> None:
        if not board.size:
            board.resize(8)
        self._vault, self._slot = vault, slot

    @op
    def watch(self) -> int:
        return self._vault.look()

    @op
    def deposit(self, coins: int) -> None:
        self._slot.put(coins)

    @op
    def steal(self) -> int:
        return self._vault.rob()

    @op
    def cheat(self) -> None:
        self._vault.put(5)

    @op
    def steal_by_hand(self) -> int:
        """Go round the stub: write the request for `rob` to the pipe itself."""
        robbed: int = deliver(line_of(self._vault), operations(Vault)["rob"])()
        return robbed


def line_of(handle: Vault) -> Line:
    """The line behind a handle that sends messages."""
    found: Line = handle.look.__globals__["_open"].__self__  # type: ignore[attr-defined]  # compiled
    return found


def code_of(call: Callable[[], object]) -> int | None:
    try:
        call()
    except OSError as error:
        return error.errno
    return None


def test_a_narrowed_handle_allows_what_it_names_and_nothing_else(kernel: Kernel) -> None:
    with kernel.boot(Guard) as system:
        guard = system[Guard]
        guard.deposit(3)
        assert guard.watch() == 3
        for refused, name in ((guard.steal, "rob"), (guard.cheat, "put")):
            text = re.escape(f"[Errno {errno.EPERM}] Guard may not call Vault.{name}")
            with pytest.raises(PermissionError, match=f"^{text}$"):
                refused()
        assert guard.watch() == 3


@pytest.mark.parametrize("uid", [1, 1000])
def test_users_call_no_privileged_service_and_map_only_what_is_shared(
    kernel: Kernel, uid: int
) -> None:
    with kernel.boot(Guard) as system, system.user(uid=uid) as user:
        system[Vault].put(9)
        for call in (user[Vault].look, user[Vault].rob):
            with pytest.raises(PermissionError, match=r"user may not call Vault\.(look|rob)$"):
                call()
        with pytest.raises(PermissionError, match=r"user may not map Vault\.gold$"):
            user.region(Vault, "gold")
        assert user.region(Guard, "board").size == 8
        assert user[Guard].watch() == 9
        assert system.region(Vault, "gold").memory[0] == 9


def test_the_server_refuses_whoever_goes_round_the_stub() -> None:
    with boot("microkernel", Guard) as system:
        system[Vault].put(4)
        with pytest.raises(PermissionError, match=r"Guard may not call Vault\.rob"):
            system[Guard].steal_by_hand()
        assert system[Vault].look() == 4
        assert system[Guard].watch() == 4


def _agent(user: User) -> Agent:
    found: Agent = user._kernel._agent  # type: ignore[attr-defined]  # an intruder
    return found


def _request(channel: PipeChannel, number: int) -> int:
    """The status of the reply to a request written by hand."""
    channel.send(frame(number, b""))
    status = HEADER.unpack_from(os.read(channel.source, 4096))[1]
    return int(status)


def intrude(user: User, root: int) -> int:
    """Try, knowing all the code, to be more than a user; how many ways led somewhere."""
    agent, own = _agent(user), user.caller.id
    asks = [
        Enrol(0, 0, ()),
        Enrol(user.caller.uid, 0, (0,)),
        Become(0, 0, ()),
        Connect(own, "Vault"),
        *(Connect(caller, "Vault") for caller in (0, 1, 2, root, own + 1)),
        *(Connect(caller, "Guard") for caller in (0, 1, 2, root, own + 1)),
        Share(own, "Vault", "gold"),
        Share(root, "Vault", "gold"),
        Share(1, "Vault", "gold"),
    ]
    ways = sum(code_of(lambda ask=ask: agent.ask(ask)) != errno.EPERM for ask in asks)  # type: ignore[misc]  # the loop's own
    with agent.knock() as connection:  # the door is this user's, and leads to no other
        behind = Agent(connection.dup(), PIPE)
        ways += code_of(lambda: behind.enrol(0, 0, ())) != errno.EPERM
        behind.close()
    allowed = code_of(user[Guard].watch)
    return ways if allowed is None else 100


def open_here(user: User) -> int:
    """How many descriptors are open beside the standard ones, the connection and the door."""
    del user
    mine = [int(entry) for entry in os.listdir("/proc/self/fd")]
    return sum(number > 2 and os.path.lexists(f"/proc/self/fd/{number}") for number in mine) - 2


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_a_process_of_a_user_never_becomes_another(kernel: str) -> None:
    with boot(kernel, Guard, users="process") as system:
        with system.user(uid=1000, gid=100) as user:
            assert user.process(intrude, system.caller.id).join(30) == 0
        assert system.process(intrude, system.caller.id).join(30) > 0  # the superuser's may


def test_a_process_of_a_user_has_nothing_open_that_is_another_s() -> None:
    with boot("microkernel", Guard) as system, system.user(uid=7) as user:
        secret, other = os.pipe()
        os.set_inheritable(secret, True)
        try:
            assert user.process(open_here).join(30) == 0
        finally:
            os.close(secret)
            os.close(other)


def test_who_has_left_starts_no_process() -> None:
    with boot("microkernel", Guard) as system:
        user = system.user(uid=7)
        user.close()
        with pytest.raises(ValueError, match="left the system"):
            user.process(open_here)


def test_a_mask_is_of_the_channel_and_not_of_the_service(guarded: System) -> None:
    agent = _agent(guarded)
    number = operations(Vault)["rob"].number
    channel = agent._connect("Vault", guarded.caller)
    try:
        assert _request(channel, number) == 0
        channel.send(frame(operations(Vault)["put"].number, encode((2,))))
        assert len(os.read(channel.source, 4096)) == SIZE
    finally:
        channel.close()
    assert code_of(guarded[Guard].steal_by_hand) == errno.EPERM


@pytest.fixture
def guarded() -> Iterator[System]:
    with boot("microkernel", Guard) as system:
        yield system
