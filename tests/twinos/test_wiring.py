"""Wiring: what constructors ask for, in which order services start, and what is refused."""

import inspect
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinos import ContractError, Region, Service, WiringError, only, op, shared
from twinos.settings import check_config
from twinos.wiring import (
    boot_order,
    dependencies,
    groups_in_order,
    needs,
    privileges,
    users_privileges,
)

ROOT = Path(__file__).parents[2]


class Bottom(Service):
    def __init__(self, store: Region, size: int = 5, name: str | None = None) -> None: ...


class Middle(Service):
    def __init__(self, bottom: Bottom, *, journal: Region) -> None: ...


class Top(Service):
    def __init__(
        self, middle: Middle, direct: Bottom, again: Annotated[Bottom, "x"], path: str
    ) -> None: ...


class Plain(Service):
    pass


class Heir(Top):
    pass


def test_needs() -> None:
    assert needs(Plain) == needs(Service)
    assert needs(Bottom).regions == ("store",)
    assert list(needs(Bottom).settings) == ["size", "name"]
    assert needs(Middle).handles == {"bottom": Bottom}
    assert needs(Top).handles == {"middle": Middle, "direct": Bottom, "again": Bottom}
    assert dependencies(Top) == (Middle, Bottom)
    assert dependencies(Heir) == (Middle, Bottom)


def service(name: str, **wants: Any) -> type[Service]:
    made = type(name, (Service,), {})

    def constructor(*_: Any) -> None: ...

    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in wants]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    constructor.__signature__ = inspect.Signature([itself, *named])  # type: ignore[attr-defined]  # found by inspect
    constructor.__annotations__ = wants
    made.__init__ = constructor  # type: ignore[misc]  # made for the test
    return made


@st.composite
def acyclic(draw: st.DrawFn) -> list[type[Service]]:
    made: list[type[Service]] = []
    for number in range(draw(st.integers(1, 8))):
        callees = draw(st.lists(st.sampled_from(made), unique=True, max_size=4)) if made else []
        wants = {f"callee{index}": callee for index, callee in enumerate(callees)}
        made.append(service(f"S{draw(st.integers(0, 9))}_{number}", **wants))
    return made


def reachable(services: list[type[Service]]) -> set[type[Service]]:
    found: set[type[Service]] = set()
    waiting = list(services)
    while waiting:
        found.add(one := waiting.pop())
        waiting.extend(set(dependencies(one)) - found)
    return found


@given(st.data(), acyclic())
def test_callees_come_first_and_the_order_is_always_the_same(
    data: st.DataObject, made: list[type[Service]]
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(made), min_size=1))
    order = boot_order(wanted)
    assert set(order) == reachable(wanted)
    assert len(set(order)) == len(order)
    for one in order:
        assert all(order.index(callee) < order.index(one) for callee in dependencies(one))
    assert boot_order(data.draw(st.permutations(wanted))) == order


@given(st.data(), acyclic())
def test_groups_are_a_partition_in_order_or_refused(
    data: st.DataObject, made: list[type[Service]]
) -> None:
    order = boot_order(made)
    numbers = [data.draw(st.integers(0, 3)) for _ in order]
    groups = [
        [s for s, number in zip(order, numbers, strict=True) if number == wanted]
        for wanted in range(1, 4)
    ]
    groups = [group for group in groups if group]
    home = {s: index for index, group in enumerate(groups) for s in group}
    home |= {s: -index for index, s in enumerate(order, 1) if s not in home}
    edges = {(home[s], home[callee]) for s in order for callee in dependencies(s)}
    try:
        spaces = groups_in_order(order, groups)
    except WiringError as error:
        assert "groups call each other in a circle" in str(error)  # noqa: PT017
        assert has_cycle({(a, b) for a, b in edges if a != b})
        return
    assert not has_cycle({(a, b) for a, b in edges if a != b})
    assert sorted(map(str, itertools.chain(*spaces))) == sorted(map(str, order))
    place = {s: index for index, space in enumerate(spaces) for s in space}
    for one in order:
        assert all(place[callee] <= place[one] for callee in dependencies(one))
    for group in groups:
        assert tuple(s for s in order if s in group) in spaces


def has_cycle(edges: set[tuple[int, int]]) -> bool:
    """Whether a graph has one: leaves are taken off until none is left."""
    while edges:
        callers = {caller for caller, _ in edges}
        inner = {(caller, callee) for caller, callee in edges if callee in callers}
        if len(inner) == len(edges):
            return True
        edges = inner
    return False


def circle() -> list[type[Service]]:
    one, two, three = service("One"), service("Two"), service("Three")
    for caller, callee in ((one, two), (two, three), (three, one)):
        caller.__init__ = service("X", callee=callee).__init__  # type: ignore[method-assign]
    return [one, two, three]


def test_a_circle_of_services_is_named() -> None:
    for start in circle():
        with pytest.raises(WiringError, match=r"call each other in a circle: .* -> ") as caught:
            boot_order([start])
        assert {"One", "Two", "Three"} <= set(str(caught.value).replace(" -> ", " ").split())


def test_a_service_that_calls_itself() -> None:
    selfish = service("Selfish")
    selfish.__init__ = service("X", me=selfish).__init__  # type: ignore[method-assign]
    with pytest.raises(WiringError, match="circle: Selfish -> Selfish"):
        boot_order([selfish])


def test_a_circle_of_groups_is_named() -> None:
    order = boot_order([Top])
    with pytest.raises(WiringError, match="groups call each other in a circle") as caught:
        groups_in_order(order, [[Top, Bottom]])
    assert "Bottom+Top" in str(caught.value)
    assert "Middle" in str(caught.value)


@pytest.mark.parametrize(
    ("groups", "complaint"),
    [
        ([[Bottom, Plain]], "names Plain, which is not in the system"),
        ([[Bottom], [Bottom]], "Bottom is in two groups"),
        ([["Bottom"]], "names 'Bottom', which is not in the system"),
    ],
)
def test_groups_that_are_none(groups: Any, complaint: str) -> None:
    with pytest.raises(WiringError, match=complaint):
        groups_in_order(boot_order([Top]), groups)


def test_two_services_of_one_name() -> None:
    one, two = service("Same"), service("Same")
    with pytest.raises(WiringError, match="two services are called Same"):
        boot_order([one, two])
    assert boot_order([one, one]) == (one,)


@pytest.mark.parametrize("thing", [5, "Disk", object, int, Bottom.__init__, None])
def test_only_services_boot(thing: Any) -> None:
    with pytest.raises(WiringError, match="is not a service"):
        boot_order([thing])


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({Plain: {}}, "config names Plain, which is not in the system"),
        ({"Bottom": {}}, "config names 'Bottom'"),
        ({Bottom: {"sise": 1}}, "Bottom has no setting 'sise'; did you mean size?"),
        ({Bottom: {"qqqq": 1}}, "Bottom has no setting 'qqqq'$"),
        ({Bottom: {"store": b""}}, "Bottom has no setting 'store'"),
        ({Top: {"path": "x", "middle": 1}}, "Top has no setting 'middle'"),
        ({}, "Top needs the setting 'path'"),
        ({Top: {"path": 5}}, "Top: setting 'path': expected str, got int"),
        ({Top: {"path": "x"}, Bottom: {"size": 2**64}}, "setting 'size': .* 64 bits"),
        ({Top: {"path": "x"}, Bottom: {"size": "5"}}, "setting 'size': expected int, got str"),
    ],
)
def test_settings_that_do_not_fit(config: Any, complaint: str) -> None:
    with pytest.raises(WiringError, match=complaint):
        check_config(boot_order([Top]), config)


def test_settings_are_coerced() -> None:
    checked = check_config(boot_order([Top]), {Top: {"path": Path("/x")}, Bottom: {"size": True}})
    assert checked == {Bottom: {"size": 1}, Middle: {}, Top: {"path": "/x"}}
    assert type(checked[Bottom]["size"]) is int


class Variadic(Service):
    def __init__(self, *numbers: int) -> None: ...


class Keywords(Service):
    def __init__(self, **numbers: int) -> None: ...


class Positional(Service):
    def __init__(self, number: int, /) -> None: ...


class Untyped(Service):
    def __init__(self, number) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001 (that is the case)


class Unknown(Service):
    def __init__(self, number: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821


class Untravelled(Service):
    def __init__(self, items: list[int]) -> None: ...


class Perhaps(Service):
    def __init__(self, bottom: Bottom | None) -> None: ...


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Variadic, "wiring has a fixed shape"),
        (Keywords, "wiring has a fixed shape"),
        (Positional, "parameters are given by name"),
        (Untyped, "number has no type"),
        (Unknown, "Nowhere"),
        (Untravelled, "items is no service, no region, and"),
        (Perhaps, "bottom is no service, no region, and"),
    ],
)
def test_constructors_that_are_no_wiring(broken: type[Service], complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint):
        needs(broken)


def test_the_order_of_groups_depends_on_nothing_but_names() -> None:
    program = """
from twinos import Service
from twinos.wiring import boot_order, groups_in_order
names = [f"S{n}" for n in range(12)]
made = [type(name, (Service,), {}) for name in names]
def init(self, a, b, c): ...
init.__annotations__ = {"a": made[0], "b": made[5], "c": made[7]}
top = type("Top", (Service,), {"__init__": init})
order = boot_order([top, *made])
print([[s.__name__ for s in g] for g in groups_in_order(order, [made[1:3], made[5:7]])])
"""
    printed = {
        subprocess.run(
            [sys.executable, "-c", "x = [bytes(n) for n in range(%d)]\n%s" % (filler, program)],  # noqa: UP031
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for filler in (1, 1001, 5003)
    }
    assert len(printed) == 1


def test_a_handle_allows_what_its_marks_let_through() -> None:
    class Tool(Service):
        @op
        def one(self) -> None: ...

        @op
        def two(self) -> None: ...

    class Narrow(Service):
        def __init__(
            self,
            whole: Tool,
            none: Annotated[Tool, only()],
            part: Annotated[Tool, only("one", "two"), only("two")],
            kept: Region,
            given: Annotated[Region, shared],
        ) -> None: ...

    class Wrong(Service):
        def __init__(self, tool: Annotated[Tool, only("one", "three")]) -> None: ...

    class Partial(Service):
        def __init__(self, tool: Annotated[Tool, only("two")]) -> None: ...

    asked = needs(Narrow)
    assert asked.allowed == {
        "whole": frozenset({"one", "two"}),
        "none": frozenset(),
        "part": frozenset({"two"}),
    }
    assert (asked.regions, asked.shared) == (("kept", "given"), frozenset({"given"}))
    assert privileges(Narrow, Tool) == {"one", "two"}
    assert privileges(Partial, Tool) == {"two"}
    assert privileges(Tool, Partial) == frozenset()
    with pytest.raises(ContractError, match=r"Wrong.__init__: tool: Tool has no operation 'three'"):
        needs(Wrong)


@pytest.mark.parametrize("name", ["root", "user"])
def test_no_service_is_called_as_users_are(name: str) -> None:
    with pytest.raises(WiringError, match=f"no service is called {name}"):
        boot_order([type(name, (Service,), {})])


def test_a_subclass_is_as_privileged_as_its_base_or_says_otherwise() -> None:
    class Inner(Service, privileged=True):
        @op
        def act(self) -> None: ...

    class Same(Inner): ...

    class Open(Inner, privileged=False): ...

    allowed = {each: users_privileges("user", each) for each in (Inner, Same, Open)}
    assert allowed == {Inner: frozenset(), Same: frozenset(), Open: frozenset({"act"})}
    assert users_privileges("root", Inner) == {"act"}
