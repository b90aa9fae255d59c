"""Others' ways of asking another process: the same bytes there and back, both ends on one CPU.

Each peer answers in a child of this process, forked before anything has threads, or in a fresh
interpreter. They are what they are: multiprocessing pickles what it sends. Nothing of TwinOS does.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.managers import BaseManager
from typing import Any, Final

from lab.ladder.rungs import Call
from lab.placement import Cpus

_FORK: Final = get_context("fork")
PATIENCE_S: Final = 10.0


class Absent(Exception):
    """A peer is not here; the text says why."""


def standing(stack: ExitStack, data: bytes, cpus: Cpus, missing: dict[str, str]) -> dict[str, Call]:
    """All peers that are here, by name; of the others it is written down why not.

    Args:
        stack: ends them.
        data: what to send.
        cpus: where they run, the user's CPU: they inherit it.
        missing: where to write that.
    """
    del cpus  # this process is pinned there
    found: dict[str, Call] = {}
    for name, start in _PEERS.items():
        try:
            say = stack.enter_context(start())
        except Absent as why:
            missing[name] = str(why)
            continue
        if say(data) != data:
            raise AssertionError(f"{name} did not give back what it got")
        found[name] = _bound(say, data)
    return found


def _bound(say: Callable[[bytes], Any], data: bytes) -> Call:
    return lambda: say(data)


def _echo(connection: Connection) -> None:
    try:
        while True:
            connection.send(connection.recv())
    except (EOFError, OSError):
        return


@contextmanager
def _pipe() -> Iterator[Callable[[bytes], Any]]:
    ours, theirs = _FORK.Pipe()
    child = _FORK.Process(target=_serve_pipe, args=(ours, theirs), daemon=True)
    child.start()
    theirs.close()

    def say(data: bytes) -> Any:
        ours.send(data)
        return ours.recv()

    try:
        yield say
    finally:
        ours.close()
        child.join(PATIENCE_S)


def _serve_pipe(ours: Connection, theirs: Connection) -> None:
    ours.close()
    _echo(theirs)


class _Parrot:
    def say(self, data: bytes) -> bytes:
        return data


class _Manager(BaseManager):
    """A manager with one kind of object."""


_Manager.register("Parrot", _Parrot)


@contextmanager
def _manager() -> Iterator[Callable[[bytes], Any]]:
    with _Manager(ctx=_FORK) as manager:
        yield manager.Parrot().say  # type: ignore[attr-defined]  # registered above


def _say(data: bytes) -> bytes:
    return data


@contextmanager
def _pool() -> Iterator[Callable[[bytes], Any]]:
    with ProcessPoolExecutor(1, mp_context=_FORK) as pool:
        yield lambda data: pool.submit(_say, data).result(PATIENCE_S)


@contextmanager
def _other(kind: str) -> Iterator[str]:
    """A fresh interpreter that answers at an address."""
    with tempfile.TemporaryDirectory(prefix="twinos-ladder-") as folder:
        address = os.path.join(folder, "socket")
        command = [sys.executable, "-m", "lab.ladder.peer_server", kind, address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            if server.stdout is None or server.stdout.readline() != b"ready\n":
                raise Absent("it did not start")
            try:
                yield address
            finally:
                server.kill()


@contextmanager
def _zmq() -> Iterator[Callable[[bytes], Any]]:
    try:
        import zmq  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError:
        raise Absent("pip install 'twinos[peers]'") from None
    with _other("zmq") as address, zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.linger = 0
        socket.connect(f"ipc://{address}")

        def say(data: bytes) -> Any:
            socket.send(data)
            return socket.recv()

        yield say


@contextmanager
def _grpc() -> Iterator[Callable[[bytes], Any]]:
    try:
        import grpc  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError:
        raise Absent("pip install 'twinos[peers]'") from None
    from lab.ladder.peer_server import LIMITS  # noqa: PLC0415 (not without the package)

    with (
        _other("grpc") as address,
        grpc.insecure_channel(f"unix:{address}", options=LIMITS) as channel,
    ):
        yield channel.unary_unary("/parrot/say", _say, _say)


_PEERS: Final = {
    "multiprocessing.Pipe": _pipe,
    "multiprocessing manager": _manager,
    "concurrent.futures": _pool,
    "pyzmq, REQ and REP": _zmq,
    "gRPC, unary": _grpc,
}
"""By name. The first three fork, so they come before those that start threads."""
