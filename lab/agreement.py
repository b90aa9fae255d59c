"""Do the kernels agree? A test for any service, derived from its contract.

Arguments are drawn from the operations' signatures, and the same sequence of requests is put to the
service under each kernel. Every result and every error must be the same, and so must whatever else
the test asks to compare at the end (a disk image, say). Needs hypothesis (extra `dev`).
"""

import enum
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin
from typing import get_type_hints as hints_of

import msgspec
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from kernels import System, boot
from twinos import KernelPanic, Op, ServerDied, Service, operations
from twinos.codec import encode
from twinos.errors import take_apart

Config = Mapping[type[Service], Mapping[str, Any]]

KERNELS: Final = ("monolithic", "microkernel")

EDGES: Final = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 511, 512, 1023, 1024, 1025, 4095, 4096, 4097, 65536),
    *(-1, -2, -4096, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63), 2**64 - 1),
)
"""Integers at which something changes, for some service or other."""

NAMES: Final = (
    "",
    "/",
    "a",
    "/a",
    "/a/b",
    "/a/../a",
    "/b/",
    "//b/./c",
    "b",
    "/a\0b",
    "x" * 61,
    "é",
)
"""Strings that look like names of files."""

Answer = tuple[str, bytes]
"""What came back: of which kind it was, and its encoding."""


class DisagreementError(AssertionError):
    """The kernels do not mean the same."""


def check_agreement(
    *services: type[Service],
    config: Config | None = None,
    state: Callable[[System], bytes] | None = None,
    kernels: Sequence[str] = KERNELS,
    examples: int = 25,
    steps: int = 25,
    start: int = 1992,
) -> None:
    """Put sequences of requests to `services` under each of `kernels`, and compare.

    Operations that wait are left out: nobody can tell from a signature what ends the wait.

    Args:
        services: what to boot, and to call.
        config: their settings; a service with a setting `time` has its time held still.
        state: what else must agree at the end of a sequence.
        kernels: which kernels.
        examples: how many sequences.
        steps: how many requests in one at most.
        start: the seed of the sequences.

    Raises:
        DisagreementError: with the shortest sequence that was found to tell the kernels apart.
    """
    called = [
        (service, operation)
        for service in services
        for operation in operations(service).values()
        if not operation.waits
    ]
    held = {service: dict((config or {}).get(service, {})) for service in services}
    for service in services:
        if "time" in hints_of(service.__init__):
            held[service].setdefault("time", 0)
    held.update({s: dict(given) for s, given in (config or {}).items() if s not in held})

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        with ExitStack() as stack:
            systems = {
                kernel: stack.enter_context(boot(kernel, *services, config=held))
                for kernel in kernels
            }
            _converse(systems, called, data, steps)
            if state is not None:
                ends = {kernel: ("state", state(system)) for kernel, system in systems.items()}
                _compare("the state at the end", ends)

    agree()


def _converse(
    systems: Mapping[str, System],
    called: Sequence[tuple[type[Service], Op]],
    data: st.DataObject,
    steps: int,
) -> None:
    """Put one sequence of requests to every system. Integers that came back are drawn again."""
    known: list[int] = list(EDGES)
    for _ in range(data.draw(st.integers(1, steps))):
        service, operation = data.draw(st.sampled_from(called))
        arguments = [data.draw(values(kind, known)) for kind in operation.types]
        request = f"{operation}({', '.join(map(_shown, arguments))})"
        note(request)
        answers = {
            kernel: _answer(system[service], operation, arguments)
            for kernel, system in systems.items()
        }
        kind, encoded = _compare(request, answers)
        if operation.result is int and kind == "result int":
            known.append(msgspec.msgpack.decode(encoded))


def _answer(stub: Service, operation: Op, arguments: Sequence[Any]) -> Answer:
    passed = {
        parameter.name: argument
        for parameter, argument in zip(operation.parameters, arguments, strict=True)
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    try:
        result = getattr(stub, operation.name)(*arguments[: len(arguments) - len(passed)], **passed)
    except (KernelPanic, ServerDied) as bug:
        raise DisagreementError(f"{operation} is not free of bugs: {bug}") from bug
    except OSError as error:
        return "error", encode(take_apart(error))
    return f"result {_types(result)}", encode(result)


def _types(value: Any) -> str:
    """The types in a value: a list and a tuple have one encoding, but are not the same."""
    if isinstance(value, tuple | list):
        return f"{type(value).__name__}[{', '.join(dict.fromkeys(map(_types, value)))}]"
    return type(value).__name__


def _compare(what: str, answers: Mapping[str, Answer]) -> Answer:
    first, *others = answers.values()
    if any(answer != first for answer in others):
        told = "; ".join(
            f"{kernel}: {kind} {_shown(data)}" for kernel, (kind, data) in answers.items()
        )
        raise DisagreementError(f"{what}: {told}")
    return first


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"


def values(kind: Any, known: Sequence[int] = EDGES) -> st.SearchStrategy[Any]:
    """Values of a type that may travel; integers are mostly from `known`."""
    if isinstance(kind, NewType):
        return values(kind.__supertype__, known)
    if kind in _PLAIN:
        return st.sampled_from(known) if kind is int else _PLAIN[kind]
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return values(parts[0], known)
    if origin in {Union, types.UnionType}:
        return st.one_of([values(part, known) for part in parts])
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is tuple and parts[-1:] == (...,):
        return st.lists(values(parts[0], known), max_size=4).map(tuple)
    if origin is tuple:
        return st.tuples(*[values(part, known) for part in parts])
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    fields = hints_of(kind)
    return st.builds(kind, **{name: values(part, known) for name, part in fields.items()})


_PLAIN: Final[dict[Any, st.SearchStrategy[Any]]] = {
    int: st.sampled_from(EDGES),
    bool: st.booleans(),
    float: st.sampled_from((0.0, -0.0, 0.001, 1.5, -1.0, 1e300, float("inf"), float("nan"))),
    str: st.sampled_from(NAMES) | st.text(max_size=8),
    bytes: st.binary(max_size=16) | st.sampled_from((b"", b"\0" * 1024, b"x" * 4096, b"y" * 5000)),
    type(None): st.none(),
}
