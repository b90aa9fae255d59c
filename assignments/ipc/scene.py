"""A store with things in it, the student's program run once, and what that came to."""

from hashlib import sha256

from assignments.ipc.contract import Bill, Store
from lab.grading.bench import Bench


def bill_of(bench: Bench, things: dict[str, bytes], lost: str = "") -> Bill:
    """Have the program make an inventory of these, but for one that gets lost; what it cost."""
    wanted = {name: sha256(data).digest() for name, data in things.items() if name != lost}
    with bench.boot(Store) as system:
        store = system[Store]
        for name, data in things.items():
            store.fill(name, data)
        if lost:
            store.lose(lost)
        store.bill()
        bench.run(system)
        bill = store.bill()
        bench.expect("the inventory", dict(store.inventory()), wanted)
    return bill


def small(bench: Bench, count: int, longest: int = 200) -> dict[str, bytes]:
    """Small things; some are empty."""
    draw = bench.random
    return {f"thing {n}": draw.randbytes(draw.randrange(longest + 1)) for n in range(count)}


def large(bench: Bench, *sizes: int) -> dict[str, bytes]:
    """Large things."""
    return {f"large {n}": bench.random.randbytes(size) for n, size in enumerate(sizes)}
