"""The keyboard: a register, and an interrupt for what is put into it."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from servers.console import Console
from servers.keys import SIZE, Keys
from tests.conftest import PATIENCE, Kernel
from twinos import Region

_pieces = st.lists(
    st.one_of(st.binary(max_size=9), st.integers(0, SIZE - 2).map(bytes)), max_size=8
)


@given(st.lists(st.tuples(_pieces, st.booleans()), max_size=6))
def test_what_is_pressed_is_taken_in_its_order(rounds: list[tuple[list[bytes], bool]]) -> None:
    region = Region.create("keys")
    device, driver = Keys(region), Keys(region)
    model: deque[bytes] = deque()
    for pieces, takes in rounds:
        for piece in pieces:
            used = sum(len(other) + 2 for other in model)
            assert device.press(piece) == (used + len(piece) + 2 <= SIZE)
            if used + len(piece) + 2 <= SIZE:
                model.append(piece)
        if takes:
            assert list(driver.pressed()) == list(model)
            model.clear()
    region.close()


def test_the_words_begin_anew() -> None:
    region = Region.create("keys")
    keys = Keys(region)
    keys._set(0, (1 << 32) - 3)
    keys._set(1, (1 << 32) - 3)
    assert keys.press(b"hello")
    assert list(keys.pressed()) == [b"hello"]
    region.close()


def test_a_key_interrupts(kernel: Kernel) -> None:
    with kernel.boot(Console) as system:
        keys = Keys(system.region(Console, "keys"))
        assert keys.press(b"first\n")
        assert keys.press(b"")
        system.interrupt(Console)
        console = system[Console]
        assert console.read(99) == b"first\n"
        assert console.read(99) == b""
        console.typed(b"as before\n")
        assert console.read(99) == b"as before\n"
        assert system.interrupts()["Console"] == 1


def test_a_key_counts_before_its_interrupt_has_come(kernel: Kernel) -> None:
    """Or the keyboard would read on, and take what is typed for somebody else."""
    with kernel.boot(Console) as system, system.user() as reader, ThreadPoolExecutor(1) as threads:
        console = system[Console]
        read = threads.submit(reader[Console].read, 99)
        try:
            assert console.wanted(PATIENCE)
            assert Keys(system.region(Console, "keys")).press(b"one key\n")
            assert not console.wanted(0.0)
            assert read.result(PATIENCE) == b"one key\n"
        finally:
            console.typed(b"")  # whoever still waits goes
